//! JSON as kazoo reads and writes it, paths into it, and what is made of messages.

use super::lines;
use serde::de::IgnoredAny;
use sipbus::kazoo::json::{DEPTH_MAX, Value, parse};
use sipbus::kazoo::payload::{self, Identity};
use sipbus::kazoo::presence::{self, FIELD_BYTES_MAX, Package, Style};
use sipbus::kazoo::route::{self, Keys, NAME_BYTES_MAX};
use sipbus::kazoo::subscription::Subscription;
use sipbus::kazoo::{SHORT_BYTES_MAX, path, target};

/// A line with a path, then a document. What was read is written such that it is read the same, by
/// others too; what JSON allows is never refused.
pub(crate) fn json(input: &[u8]) {
    let (path, text) = lines(input);
    let document = parse(text);
    if serde_json::from_slice::<IgnoredAny>(text).is_ok() && !text.contains(&0) {
        let deep = text.iter().filter(|byte| b"[{".contains(byte)).count() > DEPTH_MAX;
        assert!(document.is_ok() || deep, "{document:?}");
    }
    if let Ok(value) = &document {
        written(value);
        found(value, path);
        told(value);
    }
    sent(text, &String::from_utf8_lossy(path));
    came(text, &String::from_utf8_lossy(path));
    if let Ok(subscription) = Subscription::from_json(text) {
        subscribed(&subscription, document.as_ref().unwrap());
    }
}

fn written(value: &Value) {
    let mut text = Vec::new();
    value.write(&mut text);
    assert_eq!(parse(&text).as_ref(), Ok(value));
    if !has_words(value) && std::str::from_utf8(&text).is_ok() {
        let read = serde_json::from_slice::<IgnoredAny>(&text);
        assert!(read.is_ok(), "{read:?}");
    }
}

/// True if there is a number that JSON has no digits for.
fn has_words(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_bytes().iter().any(|byte| b"NI".contains(byte)),
        Value::Array(values) => values.iter().any(has_words),
        Value::Object(object) => object.iter().any(|(_, value)| has_words(value)),
        _ => false,
    }
}

fn found(value: &Value, path: &[u8]) {
    for escape in [b'%', b'.', b'[', 0] {
        let found = path::find(value, path, escape);
        assert_ne!(found, Some(&Value::Null));
        let elements = match found {
            Some(Value::Array(values)) => values.len(),
            _ => 0,
        };
        assert_eq!(path::count(value, path, escape), elements);
        let members = found.and_then(Value::object).map_or(0, |o| o.len());
        assert_eq!(path::keys(value, path, escape).count(), members);
    }
    for (name, member) in value.object().iter().flat_map(|object| object.iter()) {
        let plain = !name.is_empty() && !name.iter().any(|byte| b".[%".contains(byte));
        if plain && *member != Value::Null {
            assert_eq!(path::find(value, name, b'%'), Some(member));
        }
    }
}

/// What becomes of a message in an event worker.
fn told(message: &Value) {
    let keys = Keys::new("Event-Category", "Event-Name", None);
    for name in route::candidates(message, &keys) {
        assert!(name.starts_with(route::EVENT));
        assert!(name.chars().count() <= NAME_BYTES_MAX);
    }
    _ = presence::package(message);
    for package in [Package::Dialog, Package::MessageSummary, Package::Presence] {
        for full_entity in [false, true] {
            let style = Style {
                include_entity: !full_entity,
                full_entity,
            };
            if let Ok(row) = presence::row(message, package, style, 1_700_000_000) {
                assert!(row.reset <= 3);
                assert!(i32::try_from(row.expires).is_ok());
                let keys = [&row.domain, &row.username, &row.etag, &row.sender];
                // A sender is made of two fields, an @ and a scheme.
                let most = 2 * FIELD_BYTES_MAX + 16;
                assert!(keys.iter().all(|key| key.len() <= most));
            }
        }
    }
}

fn sent(text: &[u8], key: &str) {
    let identity = Identity {
        app_name: key.to_owned(),
        app_version: "5.6".to_owned(),
        node: "kamailio@host".to_owned(),
    };
    let Ok(message) = payload::outgoing(text, &identity, || "made".to_owned()) else {
        return;
    };
    let body = parse(&message.body).unwrap();
    for name in ["App-Name", "App-Version", "Node", "Msg-ID"] {
        assert!(body.get(name).is_some(), "{name}");
    }
    assert_eq!(payload::msg_id(&body), Some(message.msg_id));
    assert_eq!(message.needs_server_id, body.get("Server-ID").is_none());
    if message.needs_server_id {
        let mut out = Vec::new();
        payload::with_server_id(&message.body, key, &mut out);
        assert!(out.len() <= message.body.len() + payload::server_id_bytes(key));
        let mut completed = body.object().unwrap().clone();
        completed.set("Server-ID", Value::from_text(key.as_bytes()));
        assert_eq!(parse(&out), Ok(Value::Object(completed)));
    }
}

fn came(text: &[u8], zone: &str) {
    const SERVER: usize = 3;
    let Ok((message, bytes)) = payload::incoming(text, SERVER, zone, 7) else {
        return;
    };
    assert_eq!(parse(&bytes).as_ref(), Ok(&message));
    let came_from = message.get("AMQP-Broker-Zone").map(Value::text);
    assert_eq!(came_from.as_deref(), Some(zone.as_bytes()));
    if let Some(sender) = message.get("Server-ID") {
        match target::parse(&sender.text(), SERVER) {
            Ok(target) => assert_eq!(usize::from(target.server), SERVER),
            Err(why) => assert!(sender.text().len() > SHORT_BYTES_MAX, "{why}"),
        }
    }
}

fn subscribed(subscription: &Subscription, message: &Value) {
    assert!(!subscription.routing.is_empty());
    let names = [&subscription.exchange.name, &subscription.queue.name];
    for name in names.into_iter().chain(&subscription.routing) {
        assert!(name.len() <= SHORT_BYTES_MAX);
    }
    for workers in [0, 1, 7] {
        let worker = subscription.worker(message, b"key", workers);
        assert!(worker.is_none_or(|worker| worker < workers));
    }
    let text = serde_json::to_string(subscription).unwrap();
    assert_eq!(
        &serde_json::from_str::<Subscription>(&text).unwrap(),
        subscription
    );
}
