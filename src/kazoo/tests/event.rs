use super::json;
use crate::kazoo::json::parse;
use crate::kazoo::route::{Keys, NAME_BYTES_MAX, candidates, connection_event};
use crate::kazoo::subscription::{Exchange, Queue, Subscription};
use proptest::prelude::proptest;

const KEYS: (&str, &str) = ("Event-Category", "Event-Name");

fn routes(message: &str, subscription: Option<&Subscription>) -> Vec<String> {
    let keys = Keys::new(KEYS.0, KEYS.1, subscription);
    let message = json(message);
    let routes = candidates(&message, &keys);
    routes
        .map(|name| name.replace("kazoo:consumer-event", "~"))
        .collect()
}

#[test]
fn the_most_specific_route_comes_first() {
    assert_eq!(
        routes(
            "{'Event-Category':'Presence','Event-Name':'MWI_Update'}",
            None
        ),
        [
            "~-presence-mwi-update",
            "~-presence",
            "~-event-category-event-name",
            "~-event-category",
            "~"
        ]
    );
    assert_eq!(routes("{}", None)[..2], ["~--", "~-"]);
}

#[test]
fn a_subscription_may_name_its_own_fields() {
    let subscription = Subscription::from_json(
        b"{'exchange':'e','type':'topic','event_key':'K','event_subkey':'S'}",
    )
    .unwrap();
    assert_eq!(
        routes(
            "{'K':'a','S':'b','Event-Category':'x'}",
            Some(&subscription)
        ),
        ["~-a-b", "~-a", "~-k-s", "~-k", "~"]
    );
    // Without the fields their names serve.
    assert_eq!(routes("{}", Some(&subscription))[..2], ["~-k-s", "~-k"]);
}

#[test]
fn a_name_that_is_too_long_is_left_out() {
    let long = "x".repeat(NAME_BYTES_MAX);
    let message = format!("{{'Event-Category':'{long}','Event-Name':'n'}}");
    let routes = routes(&message, None);
    assert_eq!(routes[0], "~-event-category-event-name");
}

#[test]
fn a_connections_state_is_an_event() {
    let keys = Keys::new(KEYS.0, KEYS.1, None);
    let event = connection_event(&keys, true, "h\"ost", "local");
    assert_eq!(
        String::from_utf8(event.clone()).unwrap(),
        r#"{ "Event-Category" : "connection", "Event-Name" : "open", "host" : "h\"ost", "zone" : "local" }"#
    );
    let message = parse(&event).unwrap();
    let first = candidates(&message, &keys).next();
    assert_eq!(
        first.as_deref(),
        Some("kazoo:consumer-event-connection-open")
    );
}

#[test]
fn the_simple_form_has_the_originals_defaults() {
    let subscription = Subscription::simple(b"e", b"direct", b"q", b"k").unwrap();
    let expected = Subscription {
        exchange: Exchange {
            name: "e".to_owned(),
            kind: "direct".to_owned(),
            ..Exchange::default()
        },
        queue: Queue {
            name: "q".to_owned(),
            auto_delete: true,
            ..Queue::default()
        },
        routing: vec!["k".to_owned()],
        no_ack: true,
        ..Subscription::default()
    };
    assert_eq!(subscription, expected);
    let json = b"{'exchange':'e','type':'direct','queue':'q','routing':'k','name':'ignored'}";
    assert_eq!(Subscription::from_json(json), Ok(expected));
}

#[test]
fn every_field_of_the_json_form_is_read() {
    let text = r#"{
        "exchange": "e", "queue": "q", "routing": [ "a", "b" ],
        "exchange-def": { "type": "topic", "passive": true, "durable": 1, "auto_delete": "1", "internal": true },
        "queue-def": { "passive": 1, "durable": true, "exclusive": 1, "auto_delete": false },
        "exchange-bindings": { "s1": { "type": "fanout", "routing": "x" },
                               "s2": { "type": "topic", "durable": 1, "routing": [ "y", "z" ] } },
        "no_ack": 0, "wait_for_consumer_ack": 1, "federate": true,
        "consistent-worker": 1, "consistent-worker-key": "Call-ID",
        "event_key": "K", "event_subkey": "S" }"#;
    let read = Subscription::from_json(text.as_bytes()).unwrap();
    let exchange = &read.exchange;
    assert_eq!(
        (exchange.name.as_str(), exchange.kind.as_str()),
        ("e", "topic")
    );
    assert!(exchange.passive && exchange.durable && exchange.auto_delete && exchange.internal);
    let queue = &read.queue;
    assert!(queue.passive && queue.durable && queue.exclusive && !queue.auto_delete);
    assert_eq!(read.routing, ["a", "b"]);
    let bound: Vec<_> = read
        .exchange_bindings
        .iter()
        .map(|from| (from.exchange.name.as_str(), from.routing.join(" ")))
        .collect();
    assert_eq!(bound, [("s1", "x".to_owned()), ("s2", "y z".to_owned())]);
    assert!(read.exchange_bindings[1].exchange.durable);
    assert!(!read.no_ack && read.wait_for_consumer_ack && read.federate);
    assert_eq!(read.event_key.as_deref(), Some("K"));
    assert_eq!(read.event_subkey.as_deref(), Some("S"));
    let document = serde_json::to_string(&read).unwrap();
    assert_eq!(
        serde_json::from_str::<Subscription>(&document).unwrap(),
        read
    );
}

#[test]
fn without_routing_the_key_is_empty() {
    for json in [
        "{'exchange':'e','type':'fanout','queue':'q'}",
        "{'exchange':'e','type':'fanout','queue':'q','routing':[]}",
    ] {
        let read = Subscription::from_json(json.as_bytes()).unwrap();
        assert_eq!(read.routing, [""]);
        assert!(read.no_ack && !read.wait_for_consumer_ack && read.queue.auto_delete);
    }
}

#[test]
fn bad_subscriptions_are_refused() {
    let long = "x".repeat(256);
    for (json, named) in [
        ("{", "JSON"),
        ("[]", "object"),
        ("{'type':'topic'}", "exchange"),
        ("{'exchange':'e'}", "type"),
        ("{'exchange':'e','type':'t','routing':[{}]}", "routing"),
        (
            "{'exchange':'e','type':'t','exchange-bindings':[]}",
            "exchange-bindings",
        ),
        (
            "{'exchange':'e','type':'t','exchange-bindings':{'s':{'type':'t'}}}",
            "routing",
        ),
        (&format!("{{'exchange':'{long}','type':'t'}}"), "255"),
        (
            &format!("{{'exchange':'e','type':'t','routing':['{long}']}}"),
            "255",
        ),
    ] {
        let why = Subscription::from_json(json.as_bytes()).unwrap_err();
        assert!(why.contains(named), "{json}: {why}");
    }
    assert!(Subscription::simple(b"", b"t", b"q", b"").is_err());
    assert!(Subscription::simple(b"e", b"", b"q", b"").is_err());
    assert!(Subscription::simple(b"\xff", b"t", b"q", b"").is_err());
    assert!(Subscription::from_json(b"{'exchange':'e','passive':1}").is_ok());
}

#[test]
fn one_key_goes_to_one_worker_and_all_workers_get_some() {
    let json_form =
        "{'exchange':'e','type':'t','consistent-worker':1,'consistent-worker-key':'id'}";
    let subscription = Subscription::from_json(json_form.as_bytes()).unwrap();
    for workers in [1, 3, 8] {
        let mut hit = vec![0; workers];
        for id in 0..1000 {
            let message = json(&format!("{{'id':'{id}'}}"));
            let worker = subscription.worker(&message, b"other", workers).unwrap();
            assert_eq!(subscription.worker(&message, b"key", workers), Some(worker));
            hit[worker] += 1;
        }
        assert!(
            hit.iter().all(|count| *count > 1000 / workers / 2),
            "{hit:?}"
        );
    }
    let message = json("{}");
    let by_key = |key: &[u8]| subscription.worker(&message, key, 8);
    assert!((0..100).any(|n: i32| by_key(n.to_string().as_bytes()) != by_key(b"x")));
    assert_eq!(Subscription::default().worker(&message, b"x", 8), None);
}

proptest! {
    #[test]
    fn any_subscription_is_read_or_refused(json: Vec<u8>) {
        drop(Subscription::from_json(&json));
    }
}
