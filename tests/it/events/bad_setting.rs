//! What is wrong in the configuration keeps Kamailio from starting, and is said.

use super::on;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::turn;

#[track_caller]
fn refused(config: Config, why: &str) {
    let (status, log) = config.refused();
    assert!(!status.success());
    assert!(log.contains(why), "\"{why}\" is not in:\n{log}");
}

fn plain() -> Config {
    Config::of("event_kafka")
}

#[test]
fn lines_that_are_no_subscription() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    for (line, why) in [
        ("E_TEST", "an event and a socket, with a blank between"),
        (
            "E_TEST amqp:x",
            "it must begin with kafka:, nats:, kazoo: or evapi:",
        ),
        ("E_TEST kafka:127.0.0.1:9092", "the topic is missing"),
        (
            "E_TEST kafka:127.0.0.1:9092/t?x=1",
            "neither g. nor t. in front",
        ),
        ("E_TEST kafka:127.0.0.1:9092/t?g.no.such=1", "no.such"),
        ("E_TEST nats:a.*", "the subject has a wildcard"),
        ("E_TEST nats:a", "the module nats is not loaded"),
        ("E_TEST evapi:", "the module evapi is not loaded"),
        ("E_TEST kazoo:a/b", "the module kazoo is not loaded"),
    ] {
        refused(plain().text_param("event_subscription", line), why);
    }
}

#[test]
fn more_lines_than_there_is_room_for() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let config = on(&nats)
        .number("event_sockets_max", 1)
        .text_param("event_subscription", "E_TEST kafka:127.0.0.1:1/t")
        .text_param("event_subscription", "E_OTHER kafka:127.0.0.1:1/t")
        .text_param("event_subscription", "E_TEST kafka:127.0.0.1:1/u");
    refused(config, "names 2 different kafka: sockets");
    let config = on(&nats)
        .number("event_subscriptions_max", 1)
        .text_param("event_subscription", "E_TEST nats:a")
        .text_param("event_subscription", "E_TEST nats:b");
    refused(
        config,
        "there are event_subscriptions_max subscriptions already",
    );
}

#[test]
fn calls_that_cannot_work() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    for (call, why) in [
        (r#"raise_event("E TEST");"#, "has a blank"),
        (r#"raise_event("E_TEST", "names");"#, "is no variable"),
        (r#"raise_event_json("", "{}");"#, "is empty"),
        (
            r#"subscribe_event("E_TEST", "amqp:x");"#,
            "it must begin with",
        ),
        (
            r#"subscribe_event("E_TEST", "nats:x");"#,
            "the module nats is not loaded",
        ),
        (
            r#"subscribe_event("E_TEST", "kafka:127.0.0.1:9092/t?t.acks=nonsense");"#,
            "acks",
        ),
    ] {
        refused(plain().request(call), why);
    }
}

#[test]
fn secrets_are_not_told() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let line = "E_TEST kafka:127.0.0.1:9092/t?g.sasl.password=hidden&g.no.such=1";
    let (_, log) = plain().text_param("event_subscription", line).refused();
    assert!(!log.contains("hidden"), "{log}");
}
