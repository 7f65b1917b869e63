//! The body of `sipbus.status`.

use super::instance::{Instance, Module};
use crate::host::report::Report;
use crate::module::{Counter, State};
use std::time::{SystemTime, UNIX_EPOCH};

/// The counters of a module of that name, configured or not.
pub(super) fn counters(module: &str) -> Option<&'static [Counter]> {
    match module {
        "evapi" => Some(crate::evapi::counter::COUNTERS),
        "event_kafka" => Some(crate::kafka::counter::COUNTERS),
        "kafka" => Some(crate::kafka::counter::KAFKA_COUNTERS),
        "kazoo" => Some(crate::kazoo::counter::COUNTERS),
        "nats" => Some(crate::nats::counter::COUNTERS),
        _ => None,
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Writes the whole.
pub(super) fn write(report: &Report<'_>, instance: &Instance) {
    let engine = &instance.region.head().engine;
    report.structure(c"engine", |report| {
        let pid = engine.pid.value();
        report.number(c"pid", pid);
        report.text(c"state", if pid == 0 { "stopped" } else { "running" });
        let started_at = engine.started_at.value();
        let uptime = if pid == 0 {
            0
        } else {
            now().saturating_sub(started_at)
        };
        report.number(c"uptime", uptime);
        report.number(c"restarts", engine.restarts.value());
        report.number(c"log_dropped", engine.log_dropped.value());
    });
    report.list(c"connectors", |report| {
        for (index, module) in instance.modules.iter().enumerate() {
            report.structure(c"", |report| connector(report, instance, index, module));
        }
    });
}

fn connector(report: &Report<'_>, instance: &Instance, index: usize, module: &Module) {
    let shared = instance.region.module(index);
    report.text(c"name", module.name);
    let state = if instance.region.head().engine.pid.value() == 0 {
        "no engine"
    } else {
        State::from_number(shared.state.value()).name()
    };
    report.text(c"state", state);
    report.text(c"server", &shared.server.value());
    report.number(c"since", shared.since.value());
    report.text(c"last_error", &shared.error.value());
    report.list(c"lanes", |report| {
        for process in 0..instance.region.plan().processes {
            lane(report, instance, index, process);
        }
    });
    report.list(c"inboxes", |report| {
        for (inbox, worker) in module.workers.iter().enumerate() {
            if let Some((_, ring)) = instance.region.inbox(index, inbox) {
                report.structure(c"", |report| {
                    report.text(c"worker", worker);
                    report.number(c"used", ring.used() as u64);
                    report.number(c"size", ring.size() as u64);
                });
            }
        }
    });
}

/// Only lanes that were ever used: most processes never publish.
fn lane(report: &Report<'_>, instance: &Instance, index: usize, process: usize) {
    use crate::module::submitted::{ACCEPTED, PUBLISHED};
    let Some((header, ring)) = instance.region.lane(index, process) else {
        return;
    };
    let [published, accepted] = [PUBLISHED, ACCEPTED].map(|slot| {
        header
            .submitted
            .get(slot)
            .map_or(0, crate::shm::counter::Counter::value)
    });
    if published == 0 {
        return;
    }
    report.structure(c"", |report| {
        report.number(c"process", process as u64);
        report.number(c"used", ring.used() as u64);
        report.number(c"size", ring.size() as u64);
        report.number(c"accepted", accepted);
        report.number(c"refused", published.saturating_sub(accepted));
    });
}
