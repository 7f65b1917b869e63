//! `subscribe_event` and the command `event_subscribe`: for how long, and how often the same.

use serde_json::json;

use super::{connected, event, on, sockets, subscribed};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{turn, wait};

#[test]
fn subscribing_again_refreshes() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"subscribe_event("E_TEST", "nats:events", "500"); $var(answer) = "" + $rc;
               raise_event_json("E_TEST", "[1]");"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "1");
    assert_eq!(text(&subscriber.only()), event("[1]"));
    assert_eq!(sockets(&kamailio), ["nats:events"]);
    let list = kamailio.rpc("subscribers_list", &[json!("E_TEST"), json!("nats:events")]);
    let one = &list["Event"]["Subscriber"];
    assert_eq!(one["expire"], 500);
    assert!(one["ttl"].as_u64().unwrap() <= 500);
    kamailio.rpc("event_subscribe", &[json!("E_TEST"), json!("nats:events")]);
    let list = kamailio.rpc("evi.subscribers", &[json!("E_TEST"), json!("nats:events")]);
    assert_eq!(list["Event"]["Subscriber"]["expire"], 3600);
    kamailio.stop();
}

#[test]
fn every_process_sees_it_at_once() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "late");
    let kamailio = on(&nats)
        .request(r#"raise_event("E_TEST"); $var(answer) = "$pp";"#)
        .start();
    connected(&kamailio);
    // Each worker remembers that nobody wants it.
    let mut sip = kamailio.sip();
    for _ in 0..40 {
        sip.message("x", b"");
    }
    assert_eq!(subscriber.count(), 0);
    kamailio.rpc("event_subscribe", &[json!("E_TEST"), json!("nats:late")]);
    let mut workers = std::collections::BTreeSet::new();
    for _ in 0..40 {
        workers.insert(sip.message("x", b""));
    }
    assert_eq!(subscriber.wait_for(40).len(), 40);
    kamailio.rpc(
        "event_subscribe",
        &[json!("E_TEST"), json!("nats:late"), json!(0)],
    );
    for _ in 0..40 {
        sip.message("x", b"");
    }
    subscriber.settle();
    assert_eq!(subscriber.count(), 40);
    kamailio.stop();
}

#[test]
fn what_has_expired_is_gone() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "short");
    let kamailio = on(&nats)
        .request(r#"raise_event("E_TEST"); $var(answer) = "" + $rc;"#)
        .start();
    kamailio.rpc(
        "evi.subscribe",
        &[json!("E_TEST"), json!("nats:short"), json!(1)],
    );
    wait::until("the subscription has expired", || {
        sockets(&kamailio).is_empty()
    });
    assert_eq!(kamailio.sip().message("x", b""), "1");
    subscriber.settle();
    assert_eq!(subscriber.count(), 0);
    assert!(
        kamailio
            .try_rpc("subscribers_list", &[json!("E_TEST"), json!("nats:short")])
            .is_err()
    );
    kamailio.stop();
}

#[test]
fn zero_ends_it_and_none_is_no_end() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .request(
            r#"subscribe_event("E_TEST", "nats:$rU", "$rb"); $var(answer) = "" + $rc;
               subscribe_event("E_TEST", "nats:always"); $var(answer) = $var(answer) + $rc;"#,
        )
        .start();
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("one", b"60"), "11");
    assert_eq!(sockets(&kamailio), ["nats:one", "nats:always"]);
    assert_eq!(sip.message("one", b"0"), "11");
    assert_eq!(sockets(&kamailio), ["nats:always"]);
    for wrong in [&b"-5"[..], b"x", b"", b"99999999999999999"] {
        assert_eq!(sip.message("one", wrong), "-11");
    }
    assert_eq!(sockets(&kamailio), ["nats:always"]);
    let always = kamailio.rpc("subscribers_list", &[json!("E_TEST"), json!("nats:always")]);
    assert_eq!(always["Event"]["Subscriber"]["ttl"], "never");
    kamailio.stop();
}

#[test]
fn what_cannot_be_is_refused() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats).number("event_subscriptions_max", 2).start();
    let subscribe = |params: &[serde_json::Value]| kamailio.try_rpc("event_subscribe", params);
    for wrong in [
        &[json!("E_TEST"), json!("nats:a.*")][..],
        &[json!("E_TEST"), json!("evapi:")],
        &[json!("E_TEST"), json!("amqp:x")],
        &[json!("E_TEST"), json!("nats:a"), json!(-1)],
        &[json!("E TEST"), json!("nats:a")],
        &[json!("E_TEST")],
    ] {
        assert!(subscribe(wrong).is_err(), "{wrong:?}");
    }
    for name in ["a", "b", "a"] {
        let socket = json!(format!("nats:{name}"));
        assert!(subscribe(&[json!("E_TEST"), socket]).is_ok(), "{name}");
    }
    assert!(subscribe(&[json!("E_TEST"), json!("nats:c")]).is_err());
    assert!(subscribe(&[json!("E_TEST"), json!("nats:a"), json!(0)]).is_ok());
    assert!(subscribe(&[json!("E_TEST"), json!("nats:c")]).is_ok());
    let log = kamailio.stop();
    assert!(log.contains("the module evapi is not loaded"), "{log}");
    assert!(log.contains("event_subscriptions_max"), "{log}");
}
