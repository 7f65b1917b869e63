//! The evapi module: its settings and the functions that relay.

use super::check;
use super::evapi_client::anyone;
use super::guard::guard;
use super::instance::{self, Module};
use super::outbox::{Outbox, Slot};
use super::slice::{Slice, text};
use super::title::kept;
use crate::evapi::settings::Settings;
use crate::evapi::{TAG_BYTES_MAX, counter, listen};
use crate::frame::evapi::{Order, To};
use crate::host::event_route;
use std::cell::{Cell, OnceCell};
use std::ffi::{c_char, c_int};

/// The module's name.
pub(super) const NAME: &str = "evapi";

/// What an async function returns when nobody took its message; the original's value.
const NOBODY: c_int = -2;

thread_local! {
    static SETTINGS: OnceCell<&'static Settings> = const { OnceCell::new() };
    /// The process that opened the listening sockets.
    static OWNER: Cell<Option<u32>> = const { Cell::new(None) };
    static OUTBOX: Slot = const { Slot::new(NAME) };
}

/// Checks all modparams of the module and opens the listening sockets. `events` is not 0 if someone
/// handles connections. Logs every mistake; 0 if there was none, else -1.
/// Phase: mod_init, before Kamailio drops privileges. Blocks while names are looked up, and while the engine's
/// program checks the TLS files.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_configure(events: c_int) -> c_int {
    guard("sipbus_evapi_configure", -1, || {
        let given = instance::given(NAME);
        let has_callback = given.iter().any(|(name, _)| name == "event_callback");
        let handled = |name| events != 0 && (has_callback || event_route(name).is_some());
        let settings = Settings::from_given(&given, handled("evapi:connection-new"));
        let opened = settings.and_then(|settings| {
            let document = document(&settings);
            match (document, listen::open(&settings)) {
                (Ok(document), Ok(listeners)) => Ok((settings, document, listeners)),
                (document, listeners) => {
                    let mistakes = [document.err(), listeners.err()];
                    Err(mistakes.into_iter().flatten().flatten().collect())
                }
            }
        });
        let Some((settings, document, listeners)) = instance::checked(NAME, opened) else {
            return -1;
        };
        instance::add(Module {
            name: NAME,
            inboxes: settings.workers,
            common: settings.common.clone(),
            counters: counter::COUNTERS,
            settings: document.into(),
            workers: (0..settings.workers).map(|n| n.to_string()).collect(),
            rows: settings.clients_max,
            mailbox_bytes: 0,
            listeners,
        });
        OWNER.set(Some(std::process::id()));
        SETTINGS.with(|cell| _ = cell.set(Box::leak(Box::new(settings))));
        0
    })
}

/// The settings for the engine. Its program has something to say of TLS files only.
fn document(settings: &Settings) -> Result<serde_json::Value, Vec<String>> {
    if settings.tls.is_some() {
        check::settings(NAME, settings)
    } else {
        check::unchecked(settings)
    }
}

/// The settings, once they were checked.
pub(super) fn settings() -> Option<&'static Settings> {
    SETTINGS.with(|cell| cell.get().copied())
}

/// Removes the UNIX sockets' files. Only in the process that made them.
/// Phase: mod_destroy. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_destroy() {
    guard("sipbus_evapi_destroy", (), || {
        let Some(owner) = OWNER.get() else { return };
        if let Some(settings) = settings().filter(|_| owner == std::process::id()) {
            listen::remove(settings);
        }
    });
}

/// The title of event worker number `worker`, or NULL behind the last one. The text lives as long
/// as the process. Phase: after sipbus_evapi_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_worker_title(worker: u32) -> *const c_char {
    guard("sipbus_evapi_worker_title", std::ptr::null(), || {
        let workers = settings().map_or(0, |settings| settings.workers);
        if worker as usize >= workers {
            return std::ptr::null();
        }
        kept(format!("evapi worker: {worker}"))
    })
}

/// `evapi_relay(data)`: 1 if the message was accepted, else -1, counted by reason. Phase: any
/// process, after sipbus_create. Blocks at most queue_full_wait_ms, by the rule for full lanes
/// (src/shm/lane.rs).
#[unsafe(no_mangle)]
pub extern "C" fn evapi_relay(process: u32, data: Slice) -> c_int {
    guard("evapi_relay", -1, || {
        relay(process, To::All, data.get(), false)
    })
}

/// `evapi_multicast(data, tag)`: as evapi_relay, for the clients with that tag.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_multicast(process: u32, data: Slice, tag: Slice) -> c_int {
    guard("evapi_multicast", -1, || {
        relay(process, To::Tagged(tag.get()), data.get(), false)
    })
}

/// `evapi_unicast(data, tag)`: as evapi_relay, for the first client with that tag.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_unicast(process: u32, data: Slice, tag: Slice) -> c_int {
    guard("evapi_unicast", -1, || {
        relay(process, To::First(tag.get()), data.get(), false)
    })
}

/// The second half of `evapi_async_relay(data)`, after the transaction was suspended: 1 if the
/// message was accepted while a client is there, -2 if not, -1 if it cannot be sent at all. Unless
/// 1, the suspend has to be cancelled. Phase and blocking as evapi_relay.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_async_relay(process: u32, data: Slice) -> c_int {
    guard("evapi_async_relay", -1, || {
        relay(process, To::All, data.get(), true)
    })
}

/// `evapi_async_multicast(data, tag)`: as evapi_async_relay, for the clients with that tag.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_async_multicast(process: u32, data: Slice, tag: Slice) -> c_int {
    guard("evapi_async_multicast", -1, || {
        relay(process, To::Tagged(tag.get()), data.get(), true)
    })
}

/// `evapi_async_unicast(data, tag)`: as evapi_async_relay, for the first client with that tag.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_async_unicast(process: u32, data: Slice, tag: Slice) -> c_int {
    guard("evapi_async_unicast", -1, || {
        relay(process, To::First(tag.get()), data.get(), true)
    })
}

/// Counts a call whose arguments the shim could not use; `why` is logged. -1.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_evapi_invalid", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.invalid(&text(why).unwrap_or_default());
            -1
        })
    })
}

/// Counts an answer for a transaction that is not suspended any more: -1.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_late(process: u32) -> c_int {
    guard("sipbus_evapi_late", -1, || {
        with_outbox(process, |outbox| {
            outbox.count(counter::LATE);
            -1
        })
    })
}

fn relay(process: u32, to: To<'_>, data: &[u8], suspended: bool) -> c_int {
    with_outbox(process, |outbox| {
        outbox.called();
        if let Err(why) = check(to, data) {
            outbox.invalid(why);
            return -1;
        }
        if !outbox.accepts(data.len()) {
            return -1;
        }
        if suspended && !anyone(to) {
            outbox.count(counter::NOBODY);
            return NOBODY;
        }
        let submitted = Order::Relay(to, data).write(|parts| outbox.submit(parts));
        match submitted {
            Ok(true) => 1,
            _ if suspended => NOBODY,
            _ => -1,
        }
    })
}

fn check(to: To<'_>, data: &[u8]) -> Result<(), &'static str> {
    if data.is_empty() {
        return Err("there is no data to relay");
    }
    match to {
        To::All => Ok(()),
        To::Tagged(tag) | To::First(tag) => check_tag(tag),
    }
}

/// Says what is wrong with a tag.
pub(super) fn check_tag(tag: &[u8]) -> Result<(), &'static str> {
    if tag.is_empty() {
        Err("the tag is empty")
    } else if tag.len() > TAG_BYTES_MAX {
        Err("the tag is longer than 63 bytes")
    } else {
        Ok(())
    }
}

/// Calls `body` with the calling process's lane.
pub(super) fn with_outbox(process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
    OUTBOX.with(|slot| slot.with(process, body))
}
