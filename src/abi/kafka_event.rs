//! The event workers of the event_kafka module, its pseudo-variables and delivery reports.

use super::event_kafka::{NAME, settings};
use super::event_worker;
use super::guard::guard;
use super::slice::{Slice, write_out};
use crate::frame::END;
use crate::frame::kafka::{Event, Place};
use crate::host::event_route;
use crate::kafka::{counter, header, route};
use crate::module::handled;
use crate::shm::inbox::Inbox;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};

/// Topics remembered per worker; beyond that the memory starts anew.
const TOPICS_MAX: usize = 4096;

/// What the shim runs for a message.
#[repr(C)]
#[derive(Debug)]
pub struct KafkaEvent {
    /// Index of the event route, or -1: then the KEMI callback is called, if there is one.
    pub route: i32,
    /// The event's name for the callback. Valid until the next event.
    pub name: *const c_char,
}

/// What became of a message that was published with a report route. Its texts are valid until the
/// event's end.
#[repr(C)]
#[derive(Debug)]
pub struct KafkaReport {
    /// The number that was given to kafka_publish.
    pub route: u32,
    /// 0 if Kafka has the message, else -1.
    pub status: i32,
    /// The partition it lies in, or -1.
    pub partition: i32,
    /// The offset it lies at, or -1.
    pub offset: i64,
    /// The ID of the broker it was for.
    pub broker: Slice,
    /// Its key; empty for none.
    pub key: Slice,
    /// The message.
    pub message: Slice,
    /// Why it was not delivered; empty otherwise.
    pub error: Slice,
}

/// What a topic's messages run: the route, or the callback with the name.
struct Served {
    route: i32,
    name: CString,
}

struct Worker {
    inbox: Inbox,
    topics: HashMap<Vec<u8>, Served>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    static CURRENT: Cell<Option<Event<'static>>> = const { Cell::new(None) };
}

/// Waits for the next event of worker `worker` and makes it the current one: 1 with `event_out`
/// filled, 0 if there will be no more, or -1 if there is no such worker or its inbox is broken.
/// Phase: that event worker's process. Blocks until there is one.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_event_wait(worker: u32, event_out: *mut KafkaEvent) -> c_int {
    guard("sipbus_kafka_event_wait", -1, || {
        WORKER.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Worker::attach(worker as usize);
            }
            let Some(worker) = slot else { return -1 };
            let event = match event_worker::next(NAME, &mut worker.inbox, taken) {
                Some(Some(event)) => event,
                Some(None) => return 0,
                None => return -1,
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

/// The next event; Some(None) when there will be no more.
fn taken(_: &mut Inbox, frame: &'static [u8]) -> Option<Option<Event<'static>>> {
    if frame == END {
        return Some(None);
    }
    Event::parse(frame).map(Some)
}

/// Ends the current event. `was_handled` is not 0 if a route or callback has run.
/// Phase: an event worker, after sipbus_kafka_event_wait. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_event_done(was_handled: c_int) {
    guard("sipbus_kafka_event_done", (), || {
        let Some(event) = CURRENT.take() else { return };
        WORKER.with_borrow_mut(|slot| {
            let Some(worker) = slot else { return };
            let slot = match event {
                Event::Report { .. } => counter::REPORTED,
                Event::Message { .. } if was_handled != 0 => handled::CONSUMED,
                Event::Message { .. } => handled::UNROUTED,
            };
            worker.inbox.count(slot, 1);
            worker.inbox.done();
        });
    });
}

/// 1 with the current event's report in `out`, or 0 if it is a message.
/// Phase: an event worker, between wait and done. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kafka_event_report(out: *mut KafkaReport) -> c_int {
    field("sipbus_kafka_event_report", out, |event| {
        let Event::Report {
            target,
            route,
            delivered,
            place,
            key,
            error,
            payload,
        } = event
        else {
            return None;
        };
        let target = settings()?.targets.get(usize::from(target));
        Some(KafkaReport {
            route,
            status: if delivered { 0 } else { -1 },
            partition: place.partition,
            offset: place.offset,
            broker: target.map_or(Slice::EMPTY, |target| Slice::of(target.id.as_bytes())),
            key: Slice::of(key.unwrap_or_default()),
            message: Slice::of(payload),
            error: Slice::of(error),
        })
    })
}

/// `$kafka(msg)`: 1 with the current message's payload in `out`, or 0 if there is none; valid until
/// the event's end. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_msg(out: *mut Slice) -> c_int {
    text("kafka_msg", out, |event| match event {
        Event::Message { payload, .. } => Some(payload),
        Event::Report { .. } => None,
    })
}

/// `$kafka(key)`: as kafka_msg, the record's key, if it has one.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_key(out: *mut Slice) -> c_int {
    text("kafka_key", out, |event| match event {
        Event::Message { key, .. } => key,
        Event::Report { .. } => None,
    })
}

/// `$kafka(topic)`: as kafka_msg, the topic it came from.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_topic(out: *mut Slice) -> c_int {
    text("kafka_topic", out, |event| match event {
        Event::Message { topic, .. } => Some(topic),
        Event::Report { .. } => None,
    })
}

/// `$kafka(header.NAME)`: as kafka_msg, the first value of that header, if it has one.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_header(name: Slice, out: *mut Slice) -> c_int {
    text("kafka_header", out, |event| match event {
        Event::Message { headers, .. } => header::find(headers, name.get()),
        Event::Report { .. } => None,
    })
}

/// `$kafka(partition)`: 1 with the current message's partition in `out`, or 0 if there is none.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_partition(out: *mut i64) -> c_int {
    field("kafka_partition", out, |event| {
        place(&event).map(|place| i64::from(place.partition))
    })
}

/// `$kafka(offset)`: as kafka_partition, the offset in it.
#[unsafe(no_mangle)]
pub extern "C" fn kafka_offset(out: *mut i64) -> c_int {
    field("kafka_offset", out, |event| {
        place(&event).map(|place| place.offset)
    })
}

fn place(event: &Event<'_>) -> Option<Place> {
    match event {
        Event::Message { place, .. } => Some(*place),
        Event::Report { .. } => None,
    }
}

fn text(
    name: &str,
    out: *mut Slice,
    pick: impl FnOnce(Event<'static>) -> Option<&'static [u8]>,
) -> c_int {
    field(name, out, |event| pick(event).map(Slice::of))
}

fn field<T>(name: &str, out: *mut T, pick: impl FnOnce(Event<'static>) -> Option<T>) -> c_int {
    guard(name, 0, || match CURRENT.get().and_then(pick) {
        Some(value) => c_int::from(write_out(out, value)),
        None => 0,
    })
}

impl Worker {
    fn attach(worker: usize) -> Option<Self> {
        Some(Self {
            inbox: event_worker::inbox(NAME, worker)?,
            topics: HashMap::new(),
        })
    }

    fn resolve(&mut self, event: &Event<'_>) -> KafkaEvent {
        let served = match event {
            Event::Message { topic, .. } => self.served(topic),
            Event::Report { .. } => None,
        };
        KafkaEvent {
            route: served.map_or(-1, |served| served.route),
            name: served.map_or(c"".as_ptr(), |served| served.name.as_ptr()),
        }
    }

    fn served(&mut self, topic: &[u8]) -> Option<&Served> {
        if !self.topics.contains_key(topic) {
            if self.topics.len() >= TOPICS_MAX {
                self.topics.clear();
            }
            let name = String::from_utf8_lossy(topic);
            let found = route::candidates(&name).find_map(|name| event_route(&name));
            let served = Served {
                route: found.unwrap_or(-1),
                name: CString::new(route::event_name(&name)).unwrap_or_default(),
            };
            self.topics.insert(topic.to_vec(), served);
        }
        self.topics.get(topic)
    }
}
