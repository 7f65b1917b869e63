//! The kafka module: its settings, `kafka_send` and `kafka_send_key`.

use super::check;
use super::event_kafka::{shown, submit};
use super::guard::guard;
use super::instance::{self, Module};
use super::outbox::{Outbox, Slot};
use super::slice::{Slice, text};
use crate::frame::kafka::{Publish, To};
use crate::kafka::counter;
use crate::kafka::settings::Settings;
use std::cell::OnceCell;
use std::ffi::{c_char, c_int};

/// The module's name.
pub(super) const NAME: &str = "kafka";

thread_local! {
    static SETTINGS: OnceCell<&'static Settings> = const { OnceCell::new() };
    static OUTBOX: Slot = const { Slot::new(NAME) };
}

/// The settings, once they were checked.
pub(super) fn settings() -> Option<&'static Settings> {
    SETTINGS.with(|cell| cell.get().copied())
}

/// Checks all modparams of the module, properties with the Kafka library's own verdict. Logs every
/// mistake; 0 if there was none, else -1.
/// Phase: mod_init. Blocks while the engine's program checks the properties.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_configure(connection_events: c_int) -> c_int {
    guard("sipbus_kafka_configure", -1, || {
        _ = connection_events;
        let given = instance::given(NAME);
        let checked = Settings::kafka(&given).and_then(|settings| {
            let document = check::settings(NAME, &settings)?;
            Ok((settings, document))
        });
        let Some((settings, document)) = instance::checked(NAME, checked) else {
            return -1;
        };
        instance::add(Module {
            name: NAME,
            inboxes: 0,
            common: settings.common.clone(),
            counters: counter::KAFKA_COUNTERS,
            settings: document.into(),
            workers: Vec::new(),
            rows: settings.rows(),
            mailbox_bytes: 0,
            listeners: Vec::new(),
        });
        SETTINGS.with(|cell| _ = cell.set(Box::leak(Box::new(settings))));
        0
    })
}

/// The number of the topic of that name.
pub(super) fn target(topic: &[u8]) -> Option<u16> {
    settings()?.target(std::str::from_utf8(topic).ok()?)
}

/// `kafka_send(topic, message)`: 1 if the message was accepted, else -1, counted by reason.
/// Phase: any process, after sipbus_create. Blocks at most queue_full_wait_ms, by the rule for full
/// lanes (src/shm/lane.rs).
#[unsafe(no_mangle)]
pub extern "C" fn kafka_send(process: u32, topic: Slice, message: Slice) -> c_int {
    guard("kafka_send", -1, || {
        send(process, topic.get(), message.get(), None)
    })
}

/// `kafka_send_key(topic, message, key)`: as kafka_send, with a key.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_send_key(process: u32, topic: Slice, message: Slice, key: Slice) -> c_int {
    guard("kafka_send_key", -1, || {
        send(process, topic.get(), message.get(), Some(key.get()))
    })
}

fn send(process: u32, topic: &[u8], message: &[u8], key: Option<&[u8]>) -> c_int {
    with_outbox(process, |outbox| {
        outbox.called();
        if message.is_empty() {
            outbox.invalid("the message is empty");
            return -1;
        }
        if key.is_some_and(<[u8]>::is_empty) {
            outbox.invalid("the key is empty");
            return -1;
        }
        let Some(target) = target(topic) else {
            let name = shown(topic);
            outbox.invalid(&format!("there is no modparam for the topic \"{name}\""));
            return -1;
        };
        let publish = Publish {
            to: To::Target(target),
            key,
            payload: message,
            headers: &[],
            report: None,
        };
        submit(outbox, &publish)
    })
}

/// Counts a call whose arguments the shim could not evaluate; `why` is logged.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_send_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_kafka_send_invalid", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.invalid(&text(why).unwrap_or_default());
            -1
        })
    })
}

fn with_outbox(process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
    OUTBOX.with(|slot| slot.with(process, body))
}
