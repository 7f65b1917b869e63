//! `events_list` and `subscribers_list`.

use serde_json::{Value, json};

use super::{on, subscribed};
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::{port, turn};

fn names(list: &Value) -> Vec<String> {
    let all = list["Events"].as_array().unwrap();
    let name = |event: &Value| event["name"].as_str().unwrap().to_owned();
    all.iter().map(name).collect()
}

#[test]
fn events_are_known_from_the_configuration_and_by_use() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, _subscriber) = subscribed(&nats);
    let kamailio = config
        .request(r#"raise_event("E_FIXED"); $var(name) = "E_" + $rU; raise_event("$var(name)");"#)
        .start();
    assert_eq!(
        names(&kamailio.rpc("events_list", &[])),
        ["E_FIXED", "E_TEST"]
    );
    kamailio.sip().message("NEW", b"");
    kamailio.sip().message("NEW", b"");
    let list = kamailio.rpc("evi.list", &[]);
    assert_eq!(names(&list), ["E_FIXED", "E_TEST", "E_NEW"]);
    let raised: Vec<_> = list["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["raised"])
        .collect();
    assert_eq!(raised, [&json!(2), &json!(0), &json!(2)]);
    kamailio.stop();
}

#[test]
fn subscribers_are_listed_by_event() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .text_param("event_subscription", "E_OTHER nats:a")
        .text_param("event_subscription", "E_OTHER nats:b")
        .request(r#"raise_event("E_TEST"); raise_event("E_NOBODY");"#)
        .start();
    kamailio.sip().message("x", b"");
    subscriber.wait_for(1);
    let list = kamailio.rpc("subscribers_list", &[]);
    assert_eq!(names(&list), ["E_TEST", "E_OTHER"]);
    assert_eq!(
        list["Events"][0]["Subscribers"],
        json!([{"socket": "nats:events", "expire": "never", "ttl": "never", "sent": 1, "refused": 0}])
    );
    let other = kamailio.rpc("subscribers_list", &[json!("E_OTHER")]);
    assert_eq!(other["Event"]["Subscribers"].as_array().unwrap().len(), 2);
    for unknown in [
        &[json!("E_UNKNOWN")][..],
        &[json!("E_TEST"), json!("nats:a")],
    ] {
        let refused = kamailio.try_rpc("subscribers_list", unknown);
        assert!(refused.unwrap_err().contains("404"), "{unknown:?}");
    }
    kamailio.stop();
}

#[test]
fn secrets_are_not_listed() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let socket = |name: &str| {
        let port = port::free();
        format!("kafka:127.0.0.1:{port}/{name}?g.sasl.password=hidden&t.acks=1")
    };
    let kamailio = Config::of("event_kafka")
        .text_param("event_subscription", &format!("E_TEST {}", socket("one")))
        .number("drain_timeout_ms", 100)
        .start();
    let late = socket("two");
    for _ in 0..2 {
        kamailio.rpc("event_subscribe", &[json!("E_TEST"), json!(late)]);
    }
    kamailio.rpc("raise_event", &[json!("E_TEST")]);
    let list = kamailio.rpc("subscribers_list", &[json!("E_TEST")]);
    let sockets = list["Event"]["Subscribers"].as_array().unwrap();
    assert_eq!(sockets.len(), 2, "{list}");
    for one in sockets {
        let shown = one["socket"].as_str().unwrap();
        assert!(shown.ends_with("?g.sasl.password=***&t.acks=1"), "{shown}");
    }
    let shown = kamailio.rpc("kafka.stats", &[]).to_string() + &kamailio.connector().to_string();
    let log = kamailio.stop();
    assert!(!(shown + &log).contains("hidden"), "{log}");
}

#[test]
fn a_subscriber_that_cannot_take_it_is_told() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .after("modparam(\"nats\", \"message_size_max\", 100)")
        .text_param("event_subscription", "E_TEST nats:events")
        .request(r#"$var(v) = $rb; raise_event("E_TEST", "$var(v)"); $var(answer) = "" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", &[b'x'; 200]), "-1");
    assert_eq!(kamailio.sip().message("x", b"small"), "1");
    let list = kamailio.rpc("subscribers_list", &[json!("E_TEST")]);
    let one = &list["Event"]["Subscribers"][0];
    assert_eq!((&one["sent"], &one["refused"]), (&json!(1), &json!(1)));
    kamailio.stop();
}
