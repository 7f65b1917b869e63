//! Names, sockets, notifications.

use super::name;
use super::notification::{Notification, Value};
use super::socket::Socket;
use super::subscription::Subscription;
use proptest::prelude::*;

fn text(value: &str) -> Value<'_> {
    Value::Text(value.as_bytes())
}

fn sent(event: &mut Notification) -> String {
    String::from_utf8(event.finish().to_vec()).unwrap()
}

fn begun(name: &str) -> Notification {
    let mut event = Notification::default();
    event.begin(name);
    event
}

#[test]
fn the_notification_is_the_originals() {
    let mut event = begun("E_PIKE_BLOCKED");
    event.add(Some(b"ip"), text("192.168.2.11"));
    assert_eq!(
        sent(&mut event),
        r#"{"jsonrpc":"2.0","method":"E_PIKE_BLOCKED","params":{"ip":"192.168.2.11"}}"#
    );
}

#[test]
fn without_parameters_there_is_no_member_for_them() {
    assert_eq!(sent(&mut begun("E")), r#"{"jsonrpc":"2.0","method":"E"}"#);
}

#[test]
fn unnamed_parameters_are_an_array_and_numbers_are_numbers() {
    let mut event = begun("E");
    event.add(None, text("5"));
    event.add(None, Value::Number(-5));
    assert!(sent(&mut event).ends_with(r#""params":["5",-5]}"#));
}

#[test]
fn an_event_can_begin_again() {
    let mut event = begun("OTHER");
    event.add(Some(b"a"), text("b"));
    sent(&mut event);
    event.begin("E");
    assert_eq!(sent(&mut event), r#"{"jsonrpc":"2.0","method":"E"}"#);
    assert_eq!(event.param(b"a"), None);
}

#[test]
fn quotes_controls_and_foreign_bytes_are_json() {
    let mut event = begun("E");
    event.add(Some(b"a\"b"), Value::Text(b"\x01\"\\\n\xff\xc3\xa9"));
    assert!(sent(&mut event).ends_with("{\"a\\\"b\":\"\\u0001\\\"\\\\\\n\u{fffd}é\"}}"));
}

#[test]
fn json_parameters_keep_order_and_numbers_and_lose_blanks() {
    let mut event = begun("E");
    let json = b" { \"z\" : 1.50 , \"a\" : \"x \\\" y\" , \"n\" : [ 1 , { } ] } ";
    event.set(json).unwrap();
    assert!(sent(&mut event).ends_with(r#""params":{"z":1.50,"a":"x \" y","n":[1,{}]}}"#));
    assert_eq!(event.param(b"a"), Some(text("x \" y")));
    assert_eq!(event.param(b"n"), Some(text("[1,{}]")));
}

#[test]
fn json_parameters_must_be_an_object_or_an_array() {
    for wrong in ["", "1", "\"x\"", "null", "{", "{} {}", "[1,]"] {
        assert!(begun("E").set(wrong.as_bytes()).is_err(), "{wrong}");
    }
    for empty in ["{}", " [ ] "] {
        let mut event = begun("E");
        event.set(empty.as_bytes()).unwrap();
        assert_eq!(sent(&mut event), r#"{"jsonrpc":"2.0","method":"E"}"#);
    }
}

#[test]
fn parameters_are_found_by_name_and_by_number() {
    let mut event = begun("E");
    event.add(Some(b"ip"), text("::1"));
    event.add(Some(b"port"), Value::Number(5060));
    assert_eq!(event.param(b"port"), Some(Value::Number(5060)));
    assert_eq!(event.param(b"1"), Some(text("::1")));
    for none in [&b"0"[..], b"3", b"", b"other"] {
        assert_eq!(event.param(none), None);
    }
}

#[test]
fn names_have_no_blanks() {
    assert_eq!(name::check(b"E_PIKE_BLOCKED"), Ok("E_PIKE_BLOCKED"));
    let long = [b'x'; 129];
    for wrong in [&b""[..], b"a b", b"a\n", b"a\0", b"\xff", &long] {
        assert!(name::check(wrong).is_err(), "{}", wrong.escape_ascii());
    }
}

#[test]
fn routes_are_called_by_the_event() {
    assert_eq!(name::routes("E_X"), ["event:E_X"]);
    assert_eq!(name::routes("acme:done"), ["event:acme:done", "acme:done"]);
}

#[test]
fn every_socket_is_shown_as_it_was_given() {
    for given in [
        "kafka:127.0.0.1:9092/topic1?t.message.timeout.ms=1000&key=callid",
        "nats:calls.blocked",
        "kazoo:callevt/pike.blocked",
        "kazoo:/queue",
        "kazoo:fanout/",
        "evapi:",
        "evapi:billing",
    ] {
        assert_eq!(Socket::parse(given).unwrap().to_string(), given);
    }
}

#[test]
fn only_kafka_sockets_have_a_key() {
    let socket = |text| Socket::parse(text).unwrap();
    assert!(socket("kafka:a:1/t?key=callid").wants_callid());
    assert!(!socket("kafka:a:1/t").wants_callid());
    assert!(!socket("nats:key=callid").wants_callid());
}

#[test]
fn what_is_wrong_with_a_socket_is_said() {
    for (wrong, why) in [
        ("", "must begin with kafka:"),
        ("amqp:x", "must begin with kafka:"),
        ("nats:", "the subject is empty"),
        ("nats:a.*", "the subject has a wildcard"),
        ("kazoo:exchange", "kazoo:exchange/routing_key"),
        ("evapi:a b", "has a blank"),
        ("kafka:127.0.0.1:9092", "the topic is missing"),
        ("kafka:127.0.0.1:9092/t?key=other", "key=callid"),
    ] {
        let said = Socket::parse(wrong).unwrap_err();
        assert!(said.contains(why), "{wrong}: {said}");
    }
    assert!(Socket::parse(&format!("evapi:{}", "x".repeat(64))).is_err());
    assert!(Socket::parse(&format!("nats:{}", "x".repeat(1024))).is_err());
}

#[test]
fn secrets_are_shown_nowhere() {
    let secret = "kafka:a:1/t?g.sasl.password=hidden";
    assert!(
        !Socket::parse(secret)
            .unwrap()
            .to_string()
            .contains("hidden")
    );
    let wrong = Socket::parse(&format!("{secret}&x=1")).unwrap_err();
    assert!(!wrong.contains("hidden"), "{wrong}");
}

#[test]
fn a_subscription_is_an_event_and_a_socket() {
    let line = Subscription::parse("  E_PIKE_BLOCKED   nats:pike ").unwrap();
    assert_eq!(line.event, "E_PIKE_BLOCKED");
    assert_eq!(line.socket, Socket::Nats("pike".into()));
    for wrong in ["", "E_X", "nats:pike", "E_X nats:a b"] {
        assert!(Subscription::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_socket_in_the_events_place_keeps_its_secrets() {
    let line = format!("kafka:h/t?g.sasl.password=hush{} E", "x".repeat(200));
    let why = Subscription::parse(&line).unwrap_err();
    assert!(!why.contains("hush"), "{why}");
}

proptest! {
    #[test]
    fn whatever_the_parameters_it_is_json(
        name in "[!-~]{1,20}",
        params in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..5),
        number in any::<i64>(),
    ) {
        let mut event = Notification::default();
        event.begin(&name);
        for (name, value) in &params {
            event.add(Some(name), Value::Text(value));
        }
        event.add(Some(b"number"), Value::Number(number));
        let parsed: serde_json::Value = serde_json::from_slice(event.finish()).unwrap();
        prop_assert_eq!(&parsed["method"], &name);
        prop_assert_eq!(&parsed["params"]["number"], &number);
    }

    #[test]
    fn no_socket_is_a_surprise(given in "(kafka|nats|kazoo|evapi):[ -~]{0,40}") {
        if let Ok(socket) = Socket::parse(&given) {
            prop_assert_eq!(Socket::parse(&socket.to_string()).map(|s| s.to_string()), Ok(given));
        }
    }
}
