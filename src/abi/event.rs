//! Raising events: `raise_event`, and `$event(...)` in the routes that events run.

use super::event_kafka;
use super::event_table::{self, Known, Subscriber};
use super::guard::guard;
use super::slice::{Slice, write_out};
use super::{evapi, kazoo, nats};
use crate::events::name;
use crate::events::notification::{Notification, Value};
use crate::events::socket::Socket;
use crate::frame::kafka::{Publish, To};
use crate::host::{Level, log_of};
use crate::shm::registry::count;
use std::cell::RefCell;
use std::ffi::c_int;

/// How deep events may be nested: routes that events run can raise events.
const DEPTH_MAX: usize = 10;

/// Somebody wants the event.
const WANTED: c_int = 1;
/// Somebody wants it with the Call-ID.
const WANTED_WITH_CALLID: c_int = 2;

thread_local! {
    /// The event in the making.
    static NEW: RefCell<Notification> = RefCell::default();
    /// The events whose routes are running, the innermost last.
    static RUNNING: RefCell<Vec<Notification>> = const { RefCell::new(Vec::new()) };
}

/// Begins an event: 0 if nobody wants it, 1 if somebody does, 2 if somebody wants it with the Call-ID,
/// or -1 with the reason logged. Parameters and raise_event follow, unless it is 0 or -1.
/// Phase: any process, after sipbus_events_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_begin(event: Slice) -> c_int {
    guard("sipbus_event_begin", -1, || {
        begin(event.get()).unwrap_or_else(|why| {
            let shown = event_kafka::shown(event.get());
            log_of(
                event_kafka::NAME,
                Level::Error,
                &format!("raise_event: the event \"{shown}\" {why}"),
            );
            -1
        })
    })
}

fn begin(event: &[u8]) -> Result<c_int, &'static str> {
    let event = name::check(event)?;
    let Some(tables) = event_table::get() else {
        return Err("cannot be raised before the processes start");
    };
    if RUNNING.with_borrow(Vec::len) >= DEPTH_MAX {
        return Err("is raised by a route of an event ten levels deep: it goes nowhere");
    }
    let wanted = tables.with_known(event, |known| {
        if let Some(place) = known.place {
            tables.events.count(place, count::SENT);
        }
        let callid = |one: &Subscriber| one.socket.wants_callid();
        if known.subscribers.iter().any(callid) {
            WANTED_WITH_CALLID
        } else if known.route.is_some() || !known.subscribers.is_empty() {
            WANTED
        } else {
            0
        }
    });
    if wanted != 0 {
        NEW.with_borrow_mut(|new| new.begin(event));
    }
    Ok(wanted)
}

/// Adds a parameter that is a text. Without a name (NULL) it is one of a list; either all have names
/// or none. Phase: between sipbus_event_begin and raise_event. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_add_text(name: Slice, value: Slice) {
    guard("sipbus_event_add_text", (), || {
        add(name, Value::Text(value.get()));
    });
}

/// Adds a parameter that is a number; as sipbus_event_add_text.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_add_number(name: Slice, value: i64) {
    guard("sipbus_event_add_number", (), || {
        add(name, Value::Number(value))
    });
}

fn add(name: Slice, value: Value<'_>) {
    let name = (!name.bytes.is_null()).then(|| name.get());
    NEW.with_borrow_mut(|new| new.add(name, value));
}

/// Sets all parameters by a JSON object or array: 0, or -1 with the reason logged.
/// Phase: as sipbus_event_add_text.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_set(params: Slice) -> c_int {
    guard("sipbus_event_set", -1, || {
        let set = NEW.with_borrow_mut(|new| new.set(params.get()));
        let Err(why) = set else { return 0 };
        log_of(
            event_kafka::NAME,
            Level::Error,
            &format!("raise_event: the parameters are not JSON: {why}"),
        );
        -1
    })
}

/// `raise_event(event[, attributes[, values]])`, once the event is complete: hands it to whoever wants
/// it. 1, or -1 if it could not be handed to all of them. `callid` is the key where one is wanted;
/// empty for none. `route_out` is the index of the event route to run, or -1; if there is one,
/// sipbus_event_end must follow it.
/// Phase: any process. Blocks as kafka_publish, nats_publish and their like do.
#[unsafe(no_mangle)]
pub extern "C" fn raise_event(process: u32, callid: Slice, route_out: *mut i32) -> c_int {
    guard("raise_event", -1, || {
        let mut new = NEW.take();
        let name = String::from_utf8_lossy(new.name()).into_owned();
        let payload = new.finish();
        let Some(tables) = event_table::get() else {
            return -1;
        };
        let (all, route) = tables.with_known(&name, |known| {
            (deliver(process, known, payload, callid.get()), known.route)
        });
        write_out(route_out, route.unwrap_or(-1));
        if route.is_some() {
            RUNNING.with_borrow_mut(|running| running.push(new));
        } else {
            // Its memory serves the next one.
            NEW.replace(new);
        }
        if all { 1 } else { -1 }
    })
}

/// Ends the event whose route has run.
/// Phase: after raise_event has told a route. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_end() {
    guard("sipbus_event_end", (), || {
        if let Some(ended) = RUNNING.with_borrow_mut(Vec::pop) {
            NEW.replace(ended);
        }
    });
}

/// `$event(name)`: 1 with the text in `text`, 2 with the number in `number`, or 0 outside the route of
/// an event or if it has no such parameter. Valid until that event's end, with a NUL behind it.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_variable(name: Slice, text: *mut Slice, number: *mut i64) -> c_int {
    guard("sipbus_event_variable", 0, || {
        RUNNING.with_borrow(|running| {
            let Some(event) = running.last() else {
                return 0;
            };
            let value = match name.get() {
                b"name" => Some(Value::Text(event.name())),
                param => event.param(param),
            };
            match value {
                Some(Value::Text(bytes)) => c_int::from(write_out(text, Slice::of(bytes))),
                Some(Value::Number(value)) => 2 * c_int::from(write_out(number, value)),
                None => 0,
            }
        })
    })
}

/// Hands an event to all who want it. False if one of them could not take it.
fn deliver(process: u32, known: &Known, payload: &[u8], callid: &[u8]) -> bool {
    let Some(tables) = event_table::get() else {
        return false;
    };
    let mut all = true;
    for subscriber in known.subscribers.iter().filter(|one| one.is_there()) {
        let sent = send(process, &subscriber.socket, payload, callid) == 1;
        let slot = if sent { count::SENT } else { count::REFUSED };
        tables.subscriptions.count(subscriber.place, slot);
        all &= sent;
    }
    all
}

/// Hands an event to a connector: 1, or -1, which its module counts and logs.
fn send(process: u32, socket: &Socket, payload: &[u8], callid: &[u8]) -> c_int {
    let (data, none) = (Slice::of(payload), Slice::EMPTY);
    match socket {
        Socket::Kafka { text, parsed } => {
            let key = Some(callid).filter(|callid| parsed.key_callid && !callid.is_empty());
            event_kafka::with_outbox(process, |outbox| {
                outbox.called();
                let publish = Publish {
                    to: To::Socket(text.as_bytes()),
                    key,
                    payload,
                    headers: &[],
                    report: None,
                };
                event_kafka::submit(outbox, &publish)
            })
        }
        Socket::Nats(subject) => {
            nats::nats_publish(process, Slice::of(subject.as_bytes()), data, none)
        }
        Socket::Kazoo {
            exchange,
            routing_key,
        } => {
            let (exchange, key) = (exchange.as_bytes(), routing_key.as_bytes());
            kazoo::kazoo_publish(process, Slice::of(exchange), Slice::of(key), data, none)
        }
        Socket::Evapi(None) => evapi::evapi_relay(process, data),
        Socket::Evapi(Some(tag)) => {
            evapi::evapi_multicast(process, data, Slice::of(tag.as_bytes()))
        }
    }
}
