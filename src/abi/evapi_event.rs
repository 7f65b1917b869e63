//! The evapi module's event workers, pseudo-variables, and what an event route can do with its
//! client.

use super::evapi::{NAME, check_tag, settings, with_outbox};
use super::evapi_client::with_row;
use super::evapi_done::{done, note};
use super::event_worker;
use super::guard::guard;
use super::slice::{Slice, write_out};
use crate::evapi::counter;
use crate::frame::evapi::{Connection, Event, Order, What};
use crate::host::{Level, event_route, log, log_of};
use crate::module::handled;
use crate::shm::inbox::Inbox;
use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int};
use std::time::Duration;

/// How often, and after which pauses, a worker tries to tell the engine that a client is admitted.
const ADMIT_TRIES: u32 = 500;
const ADMIT_PAUSE: Duration = Duration::from_millis(10);

/// What the shim runs for one event.
#[repr(C)]
#[derive(Debug)]
pub struct EvapiEvent {
    /// Index of the event route, or -1: then the KEMI callback is called, if there is one.
    pub route: i32,
    /// The event's name for the callback. Lives as long as the process.
    pub name: *const c_char,
}

struct Worker {
    inbox: Inbox,
    new: i32,
    message: i32,
    closed: i32,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static CURRENT: Cell<Option<Event<'static>>> = const { Cell::new(None) };
}

/// Gives the engine an order for a client of this process's current event; its number, if the
/// engine takes it.
fn order(process: u32, order: Order<'_>, connection: &Connection) -> Option<u64> {
    // Counted first: the engine compares what it obeyed with it.
    let number = with_row(connection, |row| {
        row.orders.add(1);
        row.orders.value()
    })?;
    let told = with_outbox(process, |outbox| {
        let told = order.write(|parts| outbox.order(parts));
        c_int::from(matches!(told, Ok(Ok(()))))
    });
    if told == 1 {
        return Some(number);
    }
    with_row(connection, |row| row.orders.set(number - 1));
    None
}

/// Waits for the next event of worker `worker` and makes it the current one: 1 with `event_out`
/// filled, or -1 if there is no such worker or its inbox is broken. Messages of a client that a
/// script has closed are left out. Phase: that event worker's process. Blocks until there is one.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_event_wait(worker: u32, event_out: *mut EvapiEvent) -> c_int {
    guard("sipbus_evapi_event_wait", -1, || {
        WORKER.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Worker::attach(worker as usize);
            }
            let Some(worker) = slot else { return -1 };
            let Some(event) = event_worker::next(NAME, &mut worker.inbox, taken) else {
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

fn taken(inbox: &mut Inbox, frame: &'static [u8]) -> Option<Event<'static>> {
    let event = Event::parse(frame)?;
    if is_discarded(&event) {
        inbox.count(counter::DISCARDED, 1);
        return None;
    }
    Some(event)
}

fn is_discarded(event: &Event<'_>) -> bool {
    matches!(event.what, What::Message(_)) && is_closing(event)
}

fn is_closing(event: &Event<'_>) -> bool {
    if done(&event.connection, |done| Some(done.closed)) == Some(true) {
        return true;
    }
    let generation = event.connection.generation;
    with_row(&event.connection, |row| row.closing.value() == generation) == Some(true)
}

/// Ends the current event. `was_handled` is not 0 if a route or callback has run. `process` is the
/// calling one. Phase: an event worker, after sipbus_evapi_event_wait. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_event_done(process: u32, was_handled: c_int) {
    guard("sipbus_evapi_event_done", (), || {
        let Some(event) = CURRENT.take() else { return };
        match event.what {
            What::New => admit(process, &event),
            What::Message(_) => {}
            What::Closed => note(&event.connection, |done| done.tag.clear()),
        }
        WORKER.with_borrow_mut(|slot| {
            let Some(worker) = slot else { return };
            if matches!(event.what, What::Message(_)) {
                let slot = if was_handled != 0 {
                    handled::CONSUMED
                } else {
                    handled::UNROUTED
                };
                worker.inbox.count(slot, 1);
            }
            worker.inbox.belongs_to(process as usize);
            worker.inbox.done();
        });
    });
}

/// Tells the engine that the client takes part now. It waits for that, so this process does not
/// give up on a full queue.
fn admit(process: u32, event: &Event<'_>) {
    for _ in 0..ADMIT_TRIES {
        if is_closing(event) {
            return;
        }
        let told = with_outbox(process, |outbox| {
            let told = Order::Admit(event.connection).write(|parts| outbox.order(parts));
            c_int::from(matches!(told, Ok(Ok(()))))
        });
        if told == 1 {
            return;
        }
        std::thread::sleep(ADMIT_PAUSE);
    }
    log(
        Level::Error,
        "evapi: the engine takes no orders: a client stays outside",
    );
}

/// `evapi_close()`: closes the client of the current event, after what was relayed to it before.
/// 1; -1 outside an event or if the engine takes no orders; -2 if it is closed already. `process` is
/// the calling one. Phase: any. Blocks at most queue_full_wait_ms, by the rule for full lanes.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_close(process: u32) -> c_int {
    guard("evapi_close", -1, || {
        let Some(event) = CURRENT.get() else {
            log_of(NAME, Level::Error, "evapi_close: there is no client here");
            return -1;
        };
        let generation = event.connection.generation;
        let open = with_row(&event.connection, |row| row.closing.value() != generation);
        if open != Some(true) || event.what == What::Closed {
            return -2;
        }
        let order = order(process, Order::Close(event.connection), &event.connection);
        if order.is_none() {
            log_of(
                NAME,
                Level::Error,
                "evapi_close: the engine takes no orders",
            );
            return -1;
        }
        // Only now: its messages are left out from here on.
        with_row(&event.connection, |row| row.closing.set(generation));
        note(&event.connection, |done| done.closed = true);
        1
    })
}

/// `evapi_set_tag(tag)`: names the client of the current event: 1, or -1 outside an event, for a
/// client that is gone, for a tag that is empty or too long, or if the engine takes no orders.
/// `process` is the calling one. Phase: any. Blocks as evapi_close.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_set_tag(process: u32, tag: Slice) -> c_int {
    guard("evapi_set_tag", -1, || {
        let tag = tag.get();
        if let Err(why) = check_tag(tag) {
            log_of(NAME, Level::Error, &format!("evapi_set_tag: {why}"));
            return -1;
        }
        let event = CURRENT.get().filter(|event| event.what != What::Closed);
        let Some(event) = event else {
            log_of(NAME, Level::Error, "evapi_set_tag: there is no client here");
            return -1;
        };
        let order = order(
            process,
            Order::Tag(event.connection, tag),
            &event.connection,
        );
        let Some(number) = order else { return -1 };
        note(&event.connection, |done| {
            done.tag = [tag, b"\0"].concat();
            done.tag_order = number;
        });
        1
    })
}

/// `$evapi(msg)`: 1 with the current event's message in `out`, or 0 if it has none; valid until the
/// event's end, with a NUL behind it. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_msg(out: *mut Slice) -> c_int {
    field("evapi_msg", out, |event| match event.what {
        What::Message(message) => Some(Slice::of(message)),
        _ => None,
    })
}

/// `$evapi(srcaddr)`: as evapi_msg, the client's address.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_srcaddr(out: *mut Slice) -> c_int {
    field("evapi_srcaddr", out, |event| Some(Slice::of(event.address)))
}

/// `$evapi(tag)`: as evapi_msg, the client's tag, if it has one.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_tag(out: *mut Slice) -> c_int {
    field("evapi_tag", out, |event| {
        let slice = |tag: &[u8]| (!tag.is_empty()).then(|| Slice::of(tag));
        let given = done(&event.connection, |done| {
            slice(done.tag()).filter(|_| done.tag_order > event.orders)
        });
        given.or_else(|| slice(event.tag))
    })
}

/// `$evapi(conidx)`: 1 with the index of the current event's client in `out`, or 0 outside an event.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_conidx(out: *mut u32) -> c_int {
    field("evapi_conidx", out, |event| Some(event.connection.index))
}

/// `$evapi(srcport)`: as evapi_conidx, the client's port; 0 for a UNIX socket.
#[unsafe(no_mangle)]
pub extern "C" fn evapi_srcport(out: *mut u32) -> c_int {
    field("evapi_srcport", out, |event| {
        Some(u32::from(event.connection.port))
    })
}

fn field<T>(name: &str, out: *mut T, pick: impl FnOnce(Event<'static>) -> Option<T>) -> c_int {
    guard(name, 0, || match CURRENT.get().and_then(pick) {
        Some(value) => c_int::from(write_out(out, value)),
        None => 0,
    })
}

impl Worker {
    fn attach(worker: usize) -> Option<Self> {
        let inbox = event_worker::inbox(NAME, worker)?;
        let inbox = inbox.looking(Duration::from_micros(settings()?.busy_poll_us));
        let found = |name: &str| event_route(name).unwrap_or(-1);
        Some(Self {
            inbox,
            new: found("evapi:connection-new"),
            message: found("evapi:message-received"),
            closed: found("evapi:connection-closed"),
        })
    }

    fn resolve(&self, event: &Event<'_>) -> EvapiEvent {
        let (route, name) = match event.what {
            What::New => (self.new, c"evapi:connection-new"),
            What::Message(_) => (self.message, c"evapi:message-received"),
            What::Closed => (self.closed, c"evapi:connection-closed"),
        };
        EvapiEvent {
            route,
            name: name.as_ptr(),
        }
    }
}
