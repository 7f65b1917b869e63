//! What operators ask the Kafka modules, whichever of the two is loaded.

use super::guard::guard;
use super::instance::{self, Instance};
use super::slice::{reference, text};
use super::{event_kafka, kafka};
use crate::host::raw::sipbus_report;
use crate::host::report::Report;
use crate::kafka::counter::figure;
use crate::kafka::settings::Settings;
use crate::module::taken;
use crate::module::{Counter, Place};
use crate::shm::layout::Row;
use std::ffi::{CStr, c_char, c_int};

/// Messages that Kafka has, and those it does not take.
const TOTAL: Counter = Counter::new(
    c"Total messages",
    &[
        Place::Taken(taken::DELIVERED),
        Place::Taken(taken::REJECTED),
    ],
);
const ERRORS: Counter = Counter::new(c"Errors", &[Place::Taken(taken::REJECTED)]);

/// A module that is loaded.
struct Loaded {
    name: &'static str,
    index: usize,
    settings: &'static Settings,
}

fn loaded(instance: &Instance) -> Vec<Loaded> {
    let modules = [
        (event_kafka::NAME, event_kafka::settings()),
        (kafka::NAME, kafka::settings()),
    ];
    let found = modules.into_iter().filter_map(|(name, settings)| {
        Some(Loaded {
            name,
            index: instance.index(name)?,
            settings: settings?,
        })
    });
    found.collect()
}

/// Writes what became of messages: the sums, then every broker ID or topic, every socket that events
/// go to, and every consumer. `module` is not looked at. 0, or -1 before sipbus_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_stats(module: *const c_char, report: *const sipbus_report) -> c_int {
    guard("sipbus_kafka_stats", -1, || {
        _ = module;
        let Some((report, instance)) = reference(report).zip(instance::get()) else {
            return -1;
        };
        let report = Report::new(report);
        let modules = loaded(instance);
        for total in [TOTAL, ERRORS] {
            let values = modules
                .iter()
                .map(|module| total.value(instance.region, module.index));
            report.number(total.name, values.sum());
        }
        report.list(c"brokers", |report| {
            for module in &modules {
                targets(report, instance, module);
                sockets(report, instance, module);
            }
        });
        report.list(c"consumers", |report| {
            for module in &modules {
                consumers(report, instance, module);
            }
        });
        0
    })
}

fn targets(report: &Report<'_>, instance: &Instance, module: &Loaded) {
    for (number, target) in module.settings.targets.iter().enumerate() {
        let producer = module.settings.producers.get(target.producer);
        report.structure(c"", |report| {
            report.text(c"module", module.name);
            report.text(c"id", &target.id);
            report.text(c"topic", &target.topic);
            report.text(
                c"brokers",
                producer.map_or("", |producer| &producer.brokers),
            );
            figures(report, instance.region.row(module.index, number));
        });
    }
}

/// Those that events were sent to by now; the connector wrote their names.
fn sockets(report: &Report<'_>, instance: &Instance, module: &Loaded) {
    let first = module.settings.targets.len();
    let rows = first..first + module.settings.sockets_max;
    for row in rows.filter_map(|number| instance.region.row(module.index, number)) {
        if row.generation.value() != 0 {
            report.structure(c"", |report| {
                report.text(c"module", module.name);
                report.text(c"id", &row.tag.value());
                figures(report, Some(row));
            });
        }
    }
}

fn figures(report: &Report<'_>, row: Option<&Row>) {
    for (name, slot) in [
        (c"taken", figure::TAKEN),
        (c"queued", figure::QUEUED),
        (c"in_flight", figure::IN_FLIGHT),
        (c"delivered", figure::DELIVERED),
        (c"failed", figure::FAILED),
        (c"round_trip_us", figure::ROUND_TRIP_US),
    ] {
        figure(report, name, row, slot);
    }
    report.text(
        c"last_error",
        &row.map_or_else(String::new, |row| row.address.value()),
    );
}

fn figure(report: &Report<'_>, name: &CStr, row: Option<&Row>, slot: usize) {
    report.number(name, value(row, slot));
}

fn value(row: Option<&Row>, slot: usize) -> u64 {
    let figure = row.and_then(|row| row.figures.get(slot));
    figure.map_or(0, crate::shm::counter::Counter::value)
}

fn consumers(report: &Report<'_>, instance: &Instance, module: &Loaded) {
    let first = module.settings.targets.len() + module.settings.sockets_max;
    for (number, consumer) in module.settings.consumers.iter().enumerate() {
        let row = instance.region.row(module.index, first + number);
        report.structure(c"", |report| {
            report.text(c"group", &consumer.group);
            report.text(c"topics", &consumer.topics.join(","));
            report.text(c"brokers", &consumer.brokers);
            figure(report, c"received", row, figure::TAKEN);
            figure(report, c"handled", row, figure::DELIVERED);
            figure(report, c"round_trip_us", row, figure::ROUND_TRIP_US);
            let error = row.map_or_else(String::new, |row| row.address.value());
            report.text(c"last_error", &error);
        });
    }
}

/// Not 0 if messages can be sent to that topic. Phase: after configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_topic_known(topic: *const c_char) -> c_int {
    guard("sipbus_kafka_topic_known", 0, || {
        let known = text(topic).and_then(|topic| kafka::settings()?.target(&topic));
        c_int::from(known.is_some())
    })
}

/// Writes what became of the messages to `topic`. 0, or -1 before sipbus_create or if messages cannot
/// be sent there. Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_stats_topic(
    topic: *const c_char,
    report: *const sipbus_report,
) -> c_int {
    guard("sipbus_kafka_stats_topic", -1, || {
        let Some((report, instance)) = reference(report).zip(instance::get()) else {
            return -1;
        };
        let (Some(topic), Some(index)) = (text(topic), instance.index(kafka::NAME)) else {
            return -1;
        };
        let Some(target) = kafka::settings().and_then(|settings| settings.target(&topic)) else {
            return -1;
        };
        let row = instance.region.row(index, usize::from(target));
        let report = Report::new(report);
        report.text(c"Topic", &topic);
        let [delivered, failed] = [figure::DELIVERED, figure::FAILED].map(|slot| value(row, slot));
        report.number(TOTAL.name, delivered + failed);
        report.number(ERRORS.name, failed);
        0
    })
}
