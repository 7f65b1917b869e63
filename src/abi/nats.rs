//! The NATS module: its settings and `nats_publish`.

use super::guard::guard;
use super::instance::{self, Module};
use super::outbox::{Outbox, Slot};
use super::slice::Slice;
use super::title::kept;
use crate::frame::nats::Publish;
use crate::host::{Level, event_routes, log};
use crate::nats::settings::Settings;
use crate::nats::{counter, route, subject};
use std::cell::OnceCell;
use std::ffi::{c_char, c_int};

/// The module's name.
pub(super) const NAME: &str = "nats";

thread_local! {
    static SETTINGS: OnceCell<&'static Settings> = const { OnceCell::new() };
    static OUTBOX: Slot = const { Slot::new(NAME) };
}

/// The settings, once they were checked.
pub(super) fn settings() -> Option<&'static Settings> {
    SETTINGS.with(|cell| cell.get().copied())
}

/// Checks all modparams of the module. `connection_events` is not 0 if someone handles
/// `nats:connected` or `nats:disconnected`. Logs every mistake; 0 if there was none, else -1.
/// On success also logs which event route serves which subscription.
/// Phase: mod_init. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_nats_configure(connection_events: c_int) -> c_int {
    guard("sipbus_nats_configure", -1, || {
        let given = instance::given(NAME);
        let settings = Settings::from_given(&given, connection_events != 0);
        let Some(settings) = instance::checked(NAME, settings) else {
            return -1;
        };
        let Ok(document) = serde_json::to_value(&settings) else {
            return -1;
        };
        log_routes(
            &settings,
            given.iter().any(|(name, _)| name == "event_callback"),
        );
        let mut workers: Vec<String> = settings
            .subscriptions
            .iter()
            .map(|s| format!("{}:{}", s.subject, s.queue))
            .collect();
        if settings.connection_events {
            workers.push("connection events".to_owned());
        }
        instance::add(Module {
            name: NAME,
            inboxes: settings.inboxes(),
            common: settings.common.clone(),
            counters: counter::COUNTERS,
            settings: document.into(),
            workers,
            rows: 0,
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
    for subscription in &settings.subscriptions {
        let pattern = &subscription.subject;
        let shown = format!("{pattern}:{}", subscription.queue);
        let serving = route::serving(pattern.as_bytes(), &routes);
        if !serving.is_empty() {
            let list = serving.join("], event_route[");
            log(
                Level::Info,
                &format!("{NAME}: {shown} is served by event_route[{list}]"),
            );
        } else if has_callback {
            log(
                Level::Info,
                &format!("{NAME}: {shown} is served by the event_callback"),
            );
        } else {
            let own = route::mapped(pattern.as_bytes());
            log(
                Level::Warning,
                &format!(
                    "{NAME}: no event route serves {shown}: its messages are counted and dropped; event_route[nats:{own}] would serve it"
                ),
            );
        }
    }
}

/// The title of event worker number `worker`, or NULL behind the last one. The text lives as long
/// as the process. Phase: after sipbus_nats_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_nats_worker_title(worker: u32) -> *const c_char {
    guard("sipbus_nats_worker_title", std::ptr::null(), || {
        let Some(settings) = settings() else {
            return std::ptr::null();
        };
        let worker = worker as usize;
        let title = match settings.subscriptions.get(worker) {
            Some(line) => format!("nats worker: {}:{}", line.subject, line.queue),
            None if worker < settings.inboxes() => "nats worker: connection events".to_owned(),
            None => return std::ptr::null(),
        };
        kept(title)
    })
}

/// `nats_publish(subject, payload[, reply])`: 1 if the message was accepted, else -1, counted by
/// reason. An empty `reply` is none. Phase: any process, after sipbus_create. Blocks at most
/// queue_full_wait_ms, by the rule for full lanes (src/shm/lane.rs).
#[unsafe(no_mangle)]
pub extern "C" fn nats_publish(
    process: u32,
    subject: Slice,
    payload: Slice,
    reply: Slice,
) -> c_int {
    guard("nats_publish", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            let (subject, payload, reply) = (subject.get(), payload.get(), reply.get());
            if let Err(why) = subject::check_publish(subject) {
                outbox.invalid(&format!("the subject \"{}\" {why}", shown(subject)));
                return -1;
            }
            if let Err(why) = check_reply(reply) {
                outbox.invalid(&format!("the reply subject \"{}\" {why}", shown(reply)));
                return -1;
            }
            if !outbox.accepts(payload.len()) {
                return -1;
            }
            let frame = Publish {
                subject,
                reply,
                payload,
            };
            let Ok(header) = frame.header() else {
                return -1;
            };
            let parts = [header.bytes(), subject, reply, payload];
            if outbox.submit(&parts) { 1 } else { -1 }
        })
    })
}

/// Counts a call whose arguments the shim could not evaluate; `why` is logged.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_nats_publish_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_nats_publish_invalid", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.invalid(&super::slice::text(why).unwrap_or_default());
            -1
        })
    })
}

fn check_reply(reply: &[u8]) -> Result<(), &'static str> {
    if reply.is_empty() {
        Ok(())
    } else {
        subject::check_publish(reply)
    }
}

fn shown(subject: &[u8]) -> String {
    let start = subject.get(..subject.len().min(80)).unwrap_or_default();
    start.escape_ascii().to_string()
}

fn with_outbox(process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
    OUTBOX.with(|slot| slot.with(process, body))
}
