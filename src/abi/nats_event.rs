//! The NATS module's event workers and pseudo-variables.

use super::event_worker;
use super::guard::guard;
use super::nats::{NAME, settings};
use super::slice::{Slice, write_out};
use crate::frame::nats::Event;
use crate::host::event_route;
use crate::module::handled;
use crate::nats::{header, route};
use crate::shm::inbox::Inbox;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int};

/// Routes remembered per worker with a wildcard; beyond that the memory starts anew.
const ROUTES_MAX: usize = 4096;

/// What the shim runs for one event.
#[repr(C)]
#[derive(Debug)]
pub struct NatsEvent {
    /// Index of the event route, or -1: then the KEMI callback is called, if there is one.
    pub route: i32,
    /// The event's name for the callback. Lives as long as the process.
    pub name: *const c_char,
}

struct Worker {
    inbox: Inbox,
    pattern: Vec<u8>,
    /// The callback's name for messages: `nats:` and the pattern.
    name: CString,
    routes: HashMap<Vec<u8>, i32>,
    /// The subject before and its route: most often the same again.
    last: (Vec<u8>, i32),
    connected: i32,
    disconnected: i32,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static CURRENT: Cell<Option<Event<'static>>> = const { Cell::new(None) };
}

/// Waits for the next event of worker `worker` and makes it the current one: 1 with `event_out`
/// filled, or -1 if there is no such worker or its inbox is broken. Phase: that event worker's
/// process. Blocks until there is one.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_nats_event_wait(worker: u32, event_out: *mut NatsEvent) -> c_int {
    guard("sipbus_nats_event_wait", -1, || {
        WORKER.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Worker::attach(worker as usize);
            }
            let Some(worker) = slot else { return -1 };
            let parse = |_: &mut Inbox, frame| Event::parse(frame);
            let Some(event) = event_worker::next(NAME, &mut worker.inbox, parse) else {
                return -1;
            };
            CURRENT.set(Some(event));
            if write_out(event_out, worker.resolve(&event)) {
                1
            } else {
                -1
            }
        })
    })
}

/// Ends the current event. `was_handled` is not 0 if a route or callback has run.
/// Phase: an event worker, after sipbus_nats_event_wait. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_nats_event_done(was_handled: c_int) {
    guard("sipbus_nats_event_done", (), || {
        let Some(event) = CURRENT.take() else { return };
        WORKER.with_borrow_mut(|slot| {
            let Some(worker) = slot else { return };
            if matches!(event, Event::Message { .. }) {
                let slot = if was_handled != 0 {
                    handled::CONSUMED
                } else {
                    handled::UNROUTED
                };
                worker.inbox.count(slot, 1);
            }
            worker.inbox.done();
        });
    });
}

/// `$natsData`: 1 with the current message's payload in `out`, or 0 if there is none; valid until
/// the event's end. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn nats_data(out: *mut Slice) -> c_int {
    field("nats_data", out, |event| match event {
        Event::Message { payload, .. } => Some(payload),
        _ => None,
    })
}

/// `$natsSubject`: as nats_data, the subject the message was published to; in a connection event
/// there is none.
#[unsafe(no_mangle)]
pub extern "C" fn nats_subject(out: *mut Slice) -> c_int {
    field("nats_subject", out, |event| match event {
        Event::Message { subject, .. } => Some(subject),
        _ => None,
    })
}

/// `$natsReply`: as nats_data, the subject an answer should go to, if the message has one.
#[unsafe(no_mangle)]
pub extern "C" fn nats_reply(out: *mut Slice) -> c_int {
    field("nats_reply", out, |event| match event {
        Event::Message { reply, .. } => Some(reply).filter(|reply| !reply.is_empty()),
        _ => None,
    })
}

/// `$natsHeader(name)`: as nats_data, the first value of that header of the message.
#[unsafe(no_mangle)]
pub extern "C" fn nats_header(name: Slice, out: *mut Slice) -> c_int {
    field("nats_header", out, |event| match event {
        Event::Message { headers, .. } => header::find(headers, name.get()),
        _ => None,
    })
}

fn field(
    name: &str,
    out: *mut Slice,
    pick: impl FnOnce(Event<'static>) -> Option<&'static [u8]>,
) -> c_int {
    guard(name, 0, || match CURRENT.get().and_then(pick) {
        Some(bytes) => c_int::from(write_out(out, Slice::of(bytes))),
        None => 0,
    })
}

impl Worker {
    fn attach(worker: usize) -> Option<Self> {
        let inbox = event_worker::inbox(NAME, worker)?;
        let subscription = settings()?.subscriptions.get(worker);
        let pattern = subscription.map_or("", |line| &line.subject);
        let found = |name: &str| event_route(name).unwrap_or(-1);
        Some(Self {
            inbox,
            pattern: pattern.into(),
            name: CString::new(route::event_name(pattern)).ok()?,
            routes: HashMap::new(),
            last: (Vec::new(), -1),
            connected: found("nats:connected"),
            disconnected: found("nats:disconnected"),
        })
    }

    fn resolve(&mut self, event: &Event<'_>) -> NatsEvent {
        let named = |route, name: &'static CStr| NatsEvent {
            route,
            name: name.as_ptr(),
        };
        match event {
            Event::Connected(_) => named(self.connected, c"nats:connected"),
            Event::Disconnected(_) => named(self.disconnected, c"nats:disconnected"),
            Event::Message { subject, .. } => NatsEvent {
                route: self.route(subject),
                name: self.name.as_ptr(),
            },
        }
    }

    fn route(&mut self, subject: &[u8]) -> i32 {
        if self.last.0 != subject {
            self.last = (subject.to_vec(), self.look_up(subject));
        }
        self.last.1
    }

    fn look_up(&mut self, subject: &[u8]) -> i32 {
        if let Some(route) = self.routes.get(subject) {
            return *route;
        }
        if self.routes.len() >= ROUTES_MAX {
            self.routes.clear();
        }
        let found = route::candidates(subject, &self.pattern).find_map(|name| event_route(&name));
        let route = found.unwrap_or(-1);
        self.routes.insert(subject.to_vec(), route);
        route
    }
}
