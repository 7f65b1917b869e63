//! The evapi module's functions.

use super::calls::{Calls, Text, bytes, text};
use super::stand::{PROCESS, Stand, reported};
use sipbus::abi::{Slice, evapi, evapi_client, evapi_event};
use sipbus::evapi::{State, TAG_BYTES_MAX};
use sipbus::frame::evapi::{Connection, Event, Order, To, What};
use std::ffi::c_int;

pub(super) fn relay(stand: &Stand, calls: &mut Calls<'_>) {
    let how = calls.byte().unwrap_or(0) % 3;
    let [data, tag] = calls.texts();
    let (to, answer) = match how {
        0 => (To::All, evapi::evapi_relay(PROCESS, data.slice())),
        1 => (
            To::Tagged(tag.bytes()),
            evapi::evapi_multicast(PROCESS, data.slice(), tag.slice()),
        ),
        _ => (
            To::First(tag.bytes()),
            evapi::evapi_unicast(PROCESS, data.slice(), tag.slice()),
        ),
    };
    if let Some(frame) = stand.accepted("evapi", answer) {
        assert_eq!(Order::parse(&frame), Some(Order::Relay(to, data.bytes())));
    }
    assert_eq!(evapi_event::evapi_set_tag(PROCESS, tag.slice()), -1);
}

/// What an engine tells of clients, and what a route does with them.
pub(super) fn event(stand: &Stand, calls: &mut Calls<'_>) {
    let how = calls.number();
    let index = usize::from(calls.number());
    let row = stand.row("evapi", index);
    let connection = Connection {
        index: u32::try_from(index).unwrap(),
        port: u16::from(calls.number()) << 8,
        generation: stand.generation(),
    };
    let orders = u64::from(calls.number());
    let [garbage, address, tag, message, own] = calls.texts();
    if let Some(row) = row.filter(|_| how & 4 == 0) {
        row.generation.set(connection.generation);
        row.state.set(State::Up as u64);
        row.tag.set_bytes(tag.bytes());
        row.orders.set(0);
    }
    let of = |what| Event {
        connection,
        orders,
        address: address.bytes(),
        tag: tag.bytes(),
        what,
    };
    let what = match how % 3 {
        0 => What::New,
        1 => What::Message(message.bytes()),
        _ => What::Closed,
    };
    if Event::parse(garbage.bytes()).is_none() {
        stand.put("evapi", &[garbage.bytes()]);
    }
    // A message of a client that was closed is left out, and so is one that does not fit.
    put(stand, &of(what));
    put(stand, &of(What::Message(message.bytes())));
    let last = Event {
        connection: NOBODY,
        address: b"",
        tag: b"",
        ..of(What::Closed)
    };
    assert!(put(stand, &last));
    while let Some(what) = waited(&of(what), message.bytes()) {
        act(stand, how, connection, &own, &message);
        evapi_event::sipbus_evapi_event_done(PROCESS, 1);
        let admitted: &[Vec<u8>] = &stand.taken("evapi");
        assert!(admitted.is_empty() || what == What::New);
        for frame in admitted {
            assert_eq!(Order::parse(frame), Some(Order::Admit(connection)));
        }
    }
    if let Some(row) = row {
        row.generation.set(0);
    }
}

/// No client has that number.
const NOBODY: Connection = Connection {
    index: u32::MAX,
    port: 0,
    generation: u64::MAX,
};

fn put(stand: &Stand, event: &Event<'_>) -> bool {
    let numbers = event.numbers();
    let fields = event.fields(&numbers);
    let Ok(header) = event.header(&fields) else {
        return false;
    };
    let [a, b, c, d, e] = fields;
    stand.put("evapi", &[header.bytes(), a, b, c, d, e])
}

/// Waits for the next event, which is the client's or the last one, and looks at it.
fn waited<'a>(of: &Event<'a>, message: &'a [u8]) -> Option<What<'a>> {
    let mut event = evapi_event::EvapiEvent {
        route: 0,
        name: std::ptr::null(),
    };
    assert_eq!(evapi_event::sipbus_evapi_event_wait(0, &raw mut event), 1);
    let (mut index, mut port, mut out) = (0, 0, Slice::EMPTY);
    assert_eq!(evapi_event::evapi_conidx(&raw mut index), 1);
    if index == NOBODY.index {
        evapi_event::sipbus_evapi_event_done(PROCESS, 0);
        return None;
    }
    assert_eq!(index, of.connection.index);
    assert_eq!(evapi_event::evapi_srcport(&raw mut port), 1);
    assert_eq!(port, u32::from(of.connection.port));
    assert_eq!(evapi_event::evapi_srcaddr(&raw mut out), 1);
    assert_eq!(bytes(out), of.address);
    if evapi_event::evapi_msg(&raw mut out) == 1 {
        assert_eq!(text(out), message);
        return Some(What::Message(message));
    }
    Some(of.what)
}

/// What the route does with its client, and others with a transaction that waits for an answer.
fn act(stand: &Stand, how: u8, connection: Connection, own: &Text, data: &Text) {
    let order = |answer: c_int, order: Order<'_>| {
        if let Some(frame) = stand.accepted("evapi", answer) {
            assert_eq!(Order::parse(&frame), Some(order));
        }
    };
    if how & 8 != 0 {
        let answer = evapi_event::evapi_set_tag(PROCESS, own.slice());
        order(answer, Order::Tag(connection, own.bytes()));
        assert!(answer == -1 || (1..=TAG_BYTES_MAX).contains(&own.bytes().len()));
    }
    let mut out = Slice::EMPTY;
    if evapi_event::evapi_tag(&raw mut out) == 1 {
        assert!(!bytes(out).is_empty());
    }
    if how & 16 != 0 {
        let relay = |to, answer| order(answer, Order::Relay(to, data.bytes()));
        let (data, tag) = (data.slice(), own.slice());
        relay(To::All, evapi::evapi_async_relay(PROCESS, data));
        let answer = evapi::evapi_async_multicast(PROCESS, data, tag);
        relay(To::Tagged(own.bytes()), answer);
        let answer = evapi::evapi_async_unicast(PROCESS, data, tag);
        relay(To::First(own.bytes()), answer);
    }
    if how & 32 != 0 {
        let answer = evapi_event::evapi_close(PROCESS);
        order(answer, Order::Close(connection));
        assert_ne!(evapi_event::evapi_close(PROCESS), 1);
    }
    if how & 64 != 0 {
        let answer = evapi_client::sipbus_evapi_client_close(PROCESS, connection.index);
        let closed = Connection {
            port: 0,
            ..connection
        };
        order(answer, Order::Close(closed));
    }
    if how & 128 != 0 {
        let clients = |report| evapi_client::sipbus_evapi_clients(std::ptr::null(), report);
        assert_eq!(reported(clients), 0);
    }
}
