//! The event_kafka module: its settings and `kafka_publish`.

use super::check;
use super::guard::guard;
use super::instance::{self, Module};
use super::outbox::{Outbox, Slot};
use super::slice::{Slice, text};
use super::title::kept;
use crate::frame::kafka::{Publish, To};
use crate::host::{Level, event_routes, log};
use crate::kafka::settings::Settings;
use crate::kafka::{counter, header, route};
use std::cell::OnceCell;
use std::ffi::{c_char, c_int};

/// The module's name.
pub(super) const NAME: &str = "event_kafka";

thread_local! {
    static SETTINGS: OnceCell<&'static Settings> = const { OnceCell::new() };
    static OUTBOX: Slot = const { Slot::new(NAME) };
}

/// The settings, once they were checked.
pub(super) fn settings() -> Option<&'static Settings> {
    SETTINGS.with(|cell| cell.get().copied())
}

/// Checks all modparams of the module, properties with the Kafka library's own verdict. Logs every
/// mistake; 0 if there was none, else -1. On success also logs which event route serves which topic.
/// Phase: mod_init. Blocks while the engine's program checks the properties.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_kafka_configure(connection_events: c_int) -> c_int {
    guard("sipbus_event_kafka_configure", -1, || {
        _ = connection_events;
        let given = instance::given(NAME);
        let checked = Settings::event_kafka(&given).and_then(|settings| {
            let document = check::settings(NAME, &settings)?;
            Ok((settings, document))
        });
        let Some((settings, document)) = instance::checked(NAME, checked) else {
            return -1;
        };
        let has_callback = given.iter().any(|(name, _)| name == "event_callback");
        log_routes(&settings, has_callback);
        instance::add(Module {
            name: NAME,
            inboxes: settings.inboxes(),
            common: settings.common.clone(),
            counters: counter::COUNTERS,
            settings: document.into(),
            workers: settings.worker_titles(),
            rows: settings.rows(),
            mailbox_bytes: 0,
            listeners: Vec::new(),
        });
        SETTINGS.with(|cell| _ = cell.set(Box::leak(Box::new(settings))));
        0
    })
}

/// Tells at start what an operator would otherwise find out by missing events.
fn log_routes(settings: &Settings, has_callback: bool) {
    let routes = event_routes();
    let known = |name: &String| routes.contains(name);
    for topic in settings.consumers.iter().flat_map(|line| &line.topics) {
        let pattern = topic.starts_with('^');
        let served = if pattern {
            // Which topics it stands for, only the cluster knows.
            let all = format!("{}all", route::PREFIX);
            Some(all).filter(known)
        } else {
            route::candidates(topic).find(known)
        };
        if let Some(route) = served {
            let text = format!("{NAME}: {topic} is served by event_route[{route}]");
            log(Level::Info, &text);
        } else if has_callback {
            let text = format!("{NAME}: {topic} is served by the event_callback");
            log(Level::Info, &text);
        } else if pattern {
            let text = format!(
                "{NAME}: records of topics of {topic} that have no event route of their own are counted and dropped; event_route[kafka:all] would serve them"
            );
            log(Level::Warning, &text);
        } else {
            let own = route::mapped(topic);
            let text = format!(
                "{NAME}: no event route serves {topic}: its records are counted and dropped; event_route[kafka:{own}] would serve it"
            );
            log(Level::Warning, &text);
        }
    }
}

/// The title of event worker number `worker`, or NULL behind the last one. The text lives as long
/// as the process. Phase: after sipbus_event_kafka_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_kafka_worker_title(worker: u32) -> *const c_char {
    guard("sipbus_event_kafka_worker_title", std::ptr::null(), || {
        let titles = settings().map(Settings::worker_titles).unwrap_or_default();
        let title = titles.get(worker as usize);
        title.map_or(std::ptr::null(), |title| {
            kept(format!("kafka worker: {title}"))
        })
    })
}

/// Not 0 if a `broker_id` has that ID.
/// Phase: after sipbus_event_kafka_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_broker_known(id: Slice) -> c_int {
    guard("sipbus_kafka_broker_known", 0, || {
        c_int::from(target(id.get()).is_some())
    })
}

/// How many processes run report routes.
/// Phase: after sipbus_event_kafka_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_report_workers() -> u32 {
    guard("sipbus_kafka_report_workers", 0, || {
        let workers = settings().map_or(0, |settings| settings.report_workers);
        u32::try_from(workers).unwrap_or(0)
    })
}

/// The number of the broker with that ID.
fn target(id: &[u8]) -> Option<u16> {
    settings()?.target(std::str::from_utf8(id).ok()?)
}

/// `kafka_publish(broker_id, message[, key][, report_route][, headers])`: 1 if the message was
/// accepted, else -1, counted by reason. An empty `key` is none; `report` is a number that comes
/// back with the delivery report, 0 for none; `headers` is `name=value;name=value`.
/// Phase: any process, after sipbus_create. Blocks at most queue_full_wait_ms, by the rule for full
/// lanes (src/shm/lane.rs).
#[unsafe(no_mangle)]
pub extern "C" fn kafka_publish(
    process: u32,
    broker: Slice,
    message: Slice,
    key: Slice,
    report: u32,
    headers: Slice,
) -> c_int {
    guard("kafka_publish", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            let Some(target) = target(broker.get()) else {
                let id = shown(broker.get());
                outbox.invalid(&format!("no broker_id has the ID \"{id}\""));
                return -1;
            };
            let mut block = Vec::new();
            if let Err(why) = header::from_text(headers.get(), &mut block) {
                outbox.invalid(&format!("the headers {why}"));
                return -1;
            }
            let publish = Publish {
                to: To::Target(target),
                key: Some(key.get()).filter(|key| !key.is_empty()),
                payload: message.get(),
                headers: &block,
                report: (report != 0).then_some(report),
            };
            submit(outbox, &publish)
        })
    })
}

/// Hands a message over: 1 or -1.
pub(super) fn submit(outbox: &mut Outbox, publish: &Publish<'_>) -> c_int {
    if !outbox.accepts(publish.payload.len()) {
        return -1;
    }
    match publish.write(|parts| outbox.submit(parts)) {
        Ok(true) => 1,
        _ => -1,
    }
}

/// Counts a call whose arguments the shim could not evaluate; `why` is logged.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_publish_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_kafka_publish_invalid", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.invalid(&text(why).unwrap_or_default());
            -1
        })
    })
}

/// The start of a name, for a line of the log.
pub(super) fn shown(name: &[u8]) -> String {
    let start = name.get(..name.len().min(80)).unwrap_or_default();
    start.escape_ascii().to_string()
}

/// Calls `body` with the calling process's lane.
pub(super) fn with_outbox(process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
    OUTBOX.with(|slot| slot.with(process, body))
}
