//! What an operator sees: `kafka.stats` as a structure, the statistics, the processes' names.

use serde_json::json;

use crate::event_kafka::{at, away};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

#[test]
fn the_stats_tell_of_every_broker_id() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let dead = format!(
        "[dead]127.0.0.1:{}/t?t.message.timeout.ms=300",
        crate::port::free()
    );
    let consume = format!("brokers={};group={topic};topics={topic}", kafka.bootstrap());
    let kamailio = at(&kafka, &topic)
        .text_param("broker_id", &dead)
        .text_param(
            "broker_id",
            &format!("[held]127.0.0.1:{}/t", crate::port::free()),
        )
        .text_param("consume", &consume)
        .number("drain_timeout_ms", 500)
        .routes(&format!("event_route[kafka:{topic}] {{ return; }}"))
        .request(r#"kafka_publish("$rU", "x"); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut sip = kamailio.sip();
    for id in ["k1", "k1", "k1", "dead", "held"] {
        assert_eq!(sip.message(id, b""), "rc=1");
    }
    kamailio.wait_counter("delivered", 3);
    kamailio.wait_counter("rejected", 1);
    let stats = kamailio.rpc("kafka.stats", &[]);
    assert_eq!(stats["Total messages"], 4, "{stats}");
    assert_eq!(stats["Errors"], 1, "{stats}");
    let [one, two, held] = &stats["brokers"].as_array().unwrap()[..] else {
        panic!("{stats}");
    };
    assert_eq!(
        (&one["id"], &one["topic"]),
        (&json!("k1"), &json!(topic)),
        "{stats}"
    );
    assert_eq!(one["module"], "event_kafka", "{stats}");
    assert_eq!(one["brokers"], kafka.bootstrap(), "{stats}");
    assert_eq!(
        (&one["delivered"], &one["failed"]),
        (&json!(3), &json!(0)),
        "{stats}"
    );
    assert_eq!(
        (&two["delivered"], &two["failed"]),
        (&json!(0), &json!(1)),
        "{stats}"
    );
    assert_ne!(two["last_error"], "", "{stats}");
    assert_eq!((&held["id"], &held["taken"]), (&json!("held"), &json!(1)));
    let consumers = stats["consumers"].as_array().unwrap();
    assert_eq!(consumers[0]["group"], json!(topic), "{stats}");
    wait::until("the round trip is known", || {
        let stats = kamailio.rpc("kafka.stats", &[]);
        stats["brokers"][0]["round_trip_us"].as_u64() > Some(0)
    });
    wait::until("what waits is known", || {
        let held = &kamailio.rpc("kafka.stats", &[])["brokers"][2];
        (&held["queued"], &held["in_flight"]) == (&json!(1), &json!(0))
    });
    kamailio.stop();
}

#[test]
fn the_statistics_count_calls_and_refusals() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let kamailio = away("g.linger.ms=1")
        .number("drain_timeout_ms", 100)
        .request(r#"kafka_publish("$rU", "x"); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..5 {
        assert_eq!(sip.message("k1", b""), "rc=1");
        assert_eq!(sip.message("k2", b""), "rc=-1");
    }
    for (name, value) in [
        ("published", 10),
        ("accepted", 5),
        ("refused", 5),
        ("delivered", 0),
    ] {
        assert_eq!(kamailio.counter(name), value, "{name}");
    }
    let status = kamailio.connector();
    assert_eq!(status["state"], "disconnected", "{status}");
    wait::until("the error is told", || {
        kamailio.connector()["last_error"] != ""
    });
    kamailio.stop();
}

#[test]
fn the_processes_have_names() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let consume = format!(
        "brokers=127.0.0.1:{};group=g;topics=a,b",
        crate::port::free()
    );
    let kamailio = away("g.linger.ms=1")
        .number("report_workers", 2)
        .text_param("consume", &consume)
        .routes("event_route[kafka:all] { return; }")
        .start();
    let list = kamailio.rpc("core.psx", &[]).to_string();
    for name in [
        "sipbus supervisor",
        "kafka worker: delivery reports 0",
        "kafka worker: delivery reports 1",
        "kafka worker: a,b for g 0",
    ] {
        assert!(list.contains(name), "{name} in {list}");
    }
    kamailio.stop();
}
