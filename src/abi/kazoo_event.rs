//! The kazoo module's event workers and pseudo-variables.

use super::event_worker;
use super::guard::guard;
use super::kazoo::{Known, NAME, known};
use super::kazoo_json;
use super::kazoo_query::{completed, set_result};
use super::slice::{Slice, write_out};
use crate::frame::kazoo::{Arrived, Event, Suspended};
use crate::host::{Level, event_route, log, log_of};
use crate::kazoo::json::{Value, parse};
use crate::kazoo::route::{Keys, candidates, connection_event};
use crate::module::handled;
use crate::shm::inbox::Inbox;
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};

/// What the shim does for one event.
#[repr(C)]
#[derive(Debug)]
pub struct KazooEvent {
    /// Not 0: a transaction is to be resumed with the route of that number, which the shim had given
    /// to kazoo_async_query.
    pub resume: u32,
    /// That transaction's index.
    pub tindex: u32,
    /// And its label.
    pub tlabel: u32,
    /// Else the index of the event route, or -1 if there is none: then the KEMI callback is called,
    /// if there is one.
    pub route: i32,
    /// The event's name for KEMI. Lives as long as the process.
    pub name: *const c_char,
}

/// The event that is being handled.
struct Current {
    /// With a NUL behind it; none while a transaction is resumed.
    payload: Option<Vec<u8>>,
    routing_key: Option<&'static [u8]>,
    is_message: bool,
}

struct Worker {
    inbox: Inbox,
    known: &'static Known,
    /// That there is no route was logged.
    complained: bool,
    /// That a message could not be read was logged.
    puzzled: bool,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Waits for the next event of worker `worker` and makes it the current one: 1 with `event_out`
/// filled, or -1 if there is no such worker or its inbox is broken. Phase: that event worker's
/// process. Blocks until there is one.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_event_wait(worker: u32, event_out: *mut KazooEvent) -> c_int {
    guard("sipbus_kazoo_event_wait", -1, || {
        WORKER.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Worker::attach(worker as usize);
            }
            let Some(worker) = slot else { return -1 };
            loop {
                let Some(frame) = event_worker::wait(NAME, &mut worker.inbox) else {
                    return -1;
                };
                if let Some(found) = Event::parse(frame).and_then(|event| worker.take(&event)) {
                    let (current, event) = found;
                    CURRENT.set(Some(current));
                    return if write_out(event_out, event) { 1 } else { -1 };
                }
                worker.inbox.done();
            }
        })
    })
}

/// Ends the current event. `was_handled` is not 0 if a route or callback has run. `process` is the
/// calling one. Phase: an event worker, after sipbus_kazoo_event_wait. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_event_done(process: u32, was_handled: c_int) {
    guard("sipbus_kazoo_event_done", (), || {
        let Some(current) = CURRENT.take() else {
            return;
        };
        set_result(None);
        WORKER.with_borrow_mut(|slot| {
            let Some(worker) = slot else { return };
            if current.is_message {
                worker.count(was_handled != 0);
            }
            worker.inbox.belongs_to(process as usize);
            worker.inbox.done();
        });
    });
}

/// `$kzE`: 1 with the current event's message in `out`, or 0 if there is none; valid until the
/// event's end, with a NUL behind it. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_event_payload(out: *mut Slice) -> c_int {
    guard("kazoo_event_payload", 0, || {
        field(out, |current| {
            let (_, payload) = current.payload.as_ref()?.split_last()?;
            Some(payload)
        })
    })
}

/// `$kzRK`: as kazoo_event_payload, the routing key that the message was published with, without a
/// NUL behind it; a connection event has none.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_event_routing_key(out: *mut Slice) -> c_int {
    guard("kazoo_event_routing_key", 0, || {
        field(out, |current| current.routing_key)
    })
}

fn field(out: *mut Slice, pick: impl FnOnce(&Current) -> Option<&[u8]>) -> c_int {
    CURRENT.with_borrow(|current| match current.as_ref().and_then(pick) {
        Some(bytes) => c_int::from(write_out(out, Slice::of(bytes))),
        None => 0,
    })
}

impl Worker {
    fn attach(worker: usize) -> Option<Self> {
        Some(Self {
            inbox: event_worker::inbox(NAME, worker)?,
            known: known()?,
            complained: false,
            puzzled: false,
        })
    }

    /// What is to be done for an event; None if nothing can be.
    fn take(&mut self, event: &Event<'static>) -> Option<(Current, KazooEvent)> {
        let settings = &self.known.settings;
        match *event {
            Event::Message {
                subscription,
                routing_key,
                message,
            } => {
                let Some((value, bytes)) = completed(&message) else {
                    self.unreadable(routing_key);
                    return None;
                };
                let subscription = self.known.subscriptions().get(usize::from(subscription));
                let (key, subkey) = (&settings.event_key, &settings.event_subkey);
                let event = routed(&value, &Keys::new(key, subkey, subscription));
                Some((Current::of(bytes, value, Some(routing_key)), event))
            }
            Event::Connection { open, host, zone } => {
                let (key, subkey) = (&settings.event_key, &settings.event_subkey);
                let keys = Keys::new(key, subkey, None);
                let [host, zone] = [host, zone].map(String::from_utf8_lossy);
                let bytes = connection_event(&keys, open, &host, &zone);
                let value = parse(&bytes).ok()?;
                let event = routed(&value, &keys);
                Some((Current::of(bytes, value, None), event))
            }
            Event::Answer(suspended, message) => Some(resumed(&suspended, Some(&message))),
            Event::Failed(suspended, reason) => {
                log_of(
                    NAME,
                    Level::Debug,
                    &format!("kazoo_async_query: {}", reason.text()),
                );
                Some(resumed(&suspended, None))
            }
        }
    }

    /// A message that is no JSON object: there is nothing that a route could ask.
    fn unreadable(&mut self, routing_key: &[u8]) {
        self.inbox.count(handled::UNREADABLE, 1);
        if !self.puzzled {
            self.puzzled = true;
            let key = String::from_utf8_lossy(routing_key);
            let text = format!(
                "kazoo: a message under the key {key} is no JSON object: left out; further ones are only counted (received_unreadable)"
            );
            log(Level::Error, &text);
        }
    }

    fn count(&mut self, was_handled: bool) {
        let slot = if was_handled {
            handled::CONSUMED
        } else {
            handled::UNROUTED
        };
        self.inbox.count(slot, 1);
        if !was_handled && !self.complained {
            self.complained = true;
            log(
                Level::Error,
                "kazoo: no event route for a message, not even event_route[kazoo:consumer-event]; further ones are only counted (unrouted)",
            );
        }
    }
}

impl Current {
    fn of(mut bytes: Vec<u8>, value: Value, routing_key: Option<&'static [u8]>) -> Self {
        // The script is going to ask for its fields.
        kazoo_json::keep(&bytes, value);
        bytes.push(0);
        Self {
            payload: Some(bytes),
            routing_key,
            is_message: routing_key.is_some(),
        }
    }
}

fn routed(value: &Value, keys: &Keys<'_>) -> KazooEvent {
    let route = candidates(value, keys).find_map(|name| event_route(&name));
    KazooEvent {
        resume: 0,
        tindex: 0,
        tlabel: 0,
        route: route.unwrap_or(-1),
        name: c"kazoo:consumer-event".as_ptr(),
    }
}

/// What resumes a transaction: with an answer, or without one.
fn resumed(suspended: &Suspended, answer: Option<&Arrived<'_>>) -> (Current, KazooEvent) {
    let answer = answer.and_then(completed);
    let (resume, name): (_, &'static CStr) = match answer {
        Some(_) => (suspended.ok, c"kazoo:query-answered"),
        None => (suspended.err, c"kazoo:query-failed"),
    };
    set_result(answer.map(|(value, bytes)| {
        kazoo_json::keep(&bytes, value);
        bytes
    }));
    let current = Current {
        payload: None,
        routing_key: None,
        is_message: false,
    };
    let event = KazooEvent {
        resume,
        tindex: suspended.tindex,
        tlabel: suspended.tlabel,
        route: -1,
        name: name.as_ptr(),
    };
    (current, event)
}
