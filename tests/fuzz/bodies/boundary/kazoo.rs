//! The kazoo module's functions.

use super::calls::{Calls, bytes, text};
use super::stand::{PROCESS, Stand};
use sipbus::abi::{Slice, kazoo, kazoo_event, kazoo_json, kazoo_presence};
use sipbus::abi::{kazoo_query, kazoo_subscribe};
use sipbus::frame;
use sipbus::kazoo::json;

pub(super) fn publish(stand: &Stand, calls: &mut Calls<'_>) {
    let [exchange, key, json, headers] = calls.texts();
    let slices = [exchange.slice(), key.slice(), json.slice(), headers.slice()];
    let [a, b, c, d] = slices;
    let answer = kazoo::kazoo_publish(PROCESS, a, b, c, d);
    if let Some(frame) = stand.accepted("kazoo", answer) {
        let Some(frame::kazoo::Order::Publish(publish)) = frame::kazoo::Order::parse(&frame) else {
            panic!("it is no publish");
        };
        assert_eq!(publish.exchange, exchange.bytes());
        assert!(key.bytes().ends_with(publish.routing_key));
        assert_eq!(publish.headers, headers.bytes());
        assert!(json::parse(publish.body).is_ok_and(|body| body.get("Msg-ID").is_some()));
    }
}

pub(super) fn query(stand: &Stand, calls: &mut Calls<'_>) {
    let [exchange, key, json, headers] = calls.texts();
    let slices = [exchange.slice(), key.slice(), json.slice(), headers.slice()];
    let [a, b, c, d] = slices;
    if kazoo_query::sipbus_kazoo_query_prepare(PROCESS, a, b, c, d) != 1 {
        return assert_eq!(kazoo_query::kazoo_query(PROCESS, 1), -1);
    }
    let answer = kazoo_query::kazoo_async_query(PROCESS, 1000, 1, 2, 3, 4);
    if let Some(frame) = stand.accepted("kazoo", answer) {
        let Some(frame::kazoo::Order::Query(query)) = frame::kazoo::Order::parse(&frame) else {
            panic!("it is no query");
        };
        assert_eq!(query.exchange, exchange.bytes());
        assert_eq!(query.routing_key, key.bytes());
        assert_eq!(query.headers, headers.bytes());
        let body = json::parse(query.body).unwrap();
        assert!(body.get("Msg-ID").is_some());
    }
    let mut result = Slice::EMPTY;
    assert_eq!(kazoo_query::kazoo_result(&raw mut result), 0);
}

pub(super) fn look(calls: &mut Calls<'_>) {
    let [path, json] = calls.texts();
    let mut out = Slice::EMPTY;
    let found = kazoo_json::kazoo_json(json.slice(), path.slice(), &raw mut out);
    match found {
        1 => _ = text(out),
        _ => assert!(bytes(out).is_empty()),
    }
    assert!(kazoo_json::kazoo_json_count(json.slice(), path.slice()) >= 0);
    let keys = kazoo_json::kazoo_json_keys(json.slice(), path.slice());
    assert_eq!(keys < 0, found < 0);
    for index in 0..u32::try_from(keys).unwrap_or(0) {
        assert_eq!(kazoo_json::kazoo_json_key(index, &raw mut out), 1);
        text(out);
    }
    let behind = u32::try_from(keys).unwrap_or(0);
    assert_eq!(kazoo_json::kazoo_json_key(behind, &raw mut out), 0);
}

pub(super) fn encode(calls: &mut Calls<'_>) {
    let word = calls.text();
    let mut out = Slice::EMPTY;
    assert_eq!(kazoo_json::kazoo_encode(word.slice(), &raw mut out), 1);
    let mut encoded = Vec::new();
    sipbus::kazoo::encode::encode(word.bytes(), &mut encoded);
    assert_eq!(text(out), encoded);
}

pub(super) fn subscribe(calls: &mut Calls<'_>) {
    let [a, b, c, d] = calls.texts();
    assert_eq!(kazoo_subscribe::kazoo_subscribe(a.slice()), -1);
    kazoo_subscribe::sipbus_kazoo_start();
    let json = kazoo_subscribe::kazoo_subscribe(a.slice());
    let slices = [a.slice(), b.slice(), c.slice(), d.slice()];
    let [a, b, c, d] = slices;
    let simple = kazoo_subscribe::kazoo_subscribe_simple(a, b, c, d);
    assert!([json, simple].iter().all(|answer| [1, -1].contains(answer)));
    // What was subscribed to is forgotten: settings that are completed live as long as the process.
    kazoo_subscribe::sipbus_kazoo_start();
    assert_eq!(kazoo_subscribe::kazoo_subscribe(Slice::EMPTY), -1);
    assert_eq!(kazoo_subscribe::sipbus_kazoo_started(), -1);
}

pub(super) fn presence(calls: &mut Calls<'_>) {
    let kind = u32::from(calls.byte().unwrap_or(0) % 5);
    let json = calls.text();
    let empty = Slice::EMPTY;
    let mut row = kazoo_presence::KazooRow {
        event: empty,
        domain: empty,
        username: empty,
        etag: empty,
        sender: empty,
        body: empty,
        expires: 0,
        reset: 0,
    };
    if kazoo_presence::sipbus_kazoo_presence(kind, json.slice(), &raw mut row) == 1 {
        let keys = [row.domain, row.username, row.etag, row.sender, row.body];
        keys.into_iter().for_each(|key| _ = bytes(key));
        assert!(!bytes(row.event).is_empty() && row.reset <= 3);
    }
}

pub(super) fn event(stand: &Stand, calls: &mut Calls<'_>) {
    use frame::kazoo::{Arrived, Event};
    let [garbage, key, body] = calls.texts();
    if key.bytes().len().max(body.bytes().len()) >= 30_000 {
        return;
    }
    if Event::parse(garbage.bytes()).is_none() {
        stand.put("kazoo", &[garbage.bytes()]);
    }
    let message = |body| Event::Message {
        subscription: u16::MAX,
        routing_key: key.bytes(),
        message: Arrived {
            server: 1,
            received: 7,
            body,
        },
    };
    let sound = json::parse(body.bytes()).is_ok_and(|body| body.object().is_some());
    _ = message(body.bytes()).write(|parts| stand.put("kazoo", parts));
    if !sound {
        // It is passed over.
        _ = message(b"{}").write(|parts| stand.put("kazoo", parts));
    }
    let mut event = kazoo_event::KazooEvent {
        resume: 0,
        tindex: 0,
        tlabel: 0,
        route: 0,
        name: std::ptr::null(),
    };
    let answer = kazoo_event::sipbus_kazoo_event_wait(0, &raw mut event);
    assert_eq!((answer, event.resume), (1, 0));
    let mut out = Slice::EMPTY;
    assert_eq!(kazoo_event::kazoo_event_payload(&raw mut out), 1);
    let payload = json::parse(text(out)).unwrap();
    assert!(payload.get("AMQP-Received").is_some());
    assert_eq!(kazoo_event::kazoo_event_routing_key(&raw mut out), 1);
    assert_eq!(bytes(out), key.bytes());
    kazoo_event::sipbus_kazoo_event_done(PROCESS, 1);
}
