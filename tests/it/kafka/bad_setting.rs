//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use crate::kamailio::Config;
use crate::require::needs;
use crate::{mistake, port, turn};

/// Parameter, wrong value, and what the message must show.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("brokers", "local host:9092", "character 6"),
    ("brokers", "localhost:port", "port must be"),
    ("configuration", "linger.ms", "name=value"),
    ("configuration", "no.such.property=1", "no.such.property"),
    ("configuration", "linger.ms=soon", "linger.ms"),
    ("topic", "calls", "name="),
    ("topic", "name=bad topic", "letters, digits"),
    ("topic", "name=calls;no.such.property=1", "no.such.property"),
    ("topic", "name=calls;request.required.acks=7000000", "acks"),
];

fn messages(log: &str, shown: &str) -> usize {
    let errors = log.lines().filter(|line| line.contains("ERROR:"));
    errors
        .filter(|line| line.contains("modparam kafka: ") && line.contains(shown))
        .count()
}

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio", "kafka_module");
    let _turn = turn::light();
    for (parameter, value, shown) in MISTAKES {
        let config = Config::of("kafka").number("init_without_kafka", 1);
        let config = match *parameter {
            "brokers" => config,
            _ => config.text_param("brokers", "127.0.0.1:9092"),
        };
        let (status, log) = config.text_param(parameter, value).refused();
        assert!(!status.success());
        assert_eq!(messages(&log, shown), 1, "{parameter} = {value}:\n{log}");
    }
}

#[test]
fn secrets_are_not_shown() {
    needs!("kamailio", "kafka_module");
    let _turn = turn::light();
    let config = || {
        let config = Config::of("kafka").number("init_without_kafka", 1);
        config.text_param("brokers", "127.0.0.1:9092")
    };
    let wrong = [
        "sasl.password=s3cret-Pass;no.such.property=1",
        "no.such.property=1;ssl.key.password=s3cret-Pass",
    ];
    mistake::a_secret_is_not_shown(config, "configuration", &wrong, "s3cret-Pass");
}

#[test]
fn brokers_are_mandatory() {
    needs!("kamailio", "kafka_module");
    let _turn = turn::light();
    let (_, log) = Config::of("kafka")
        .text_param("topic", "name=calls")
        .refused();
    assert_eq!(messages(&log, "brokers"), 1, "{log}");
}

#[test]
fn addresses_may_name_their_protocol() {
    needs!("kamailio", "kafka_module");
    let _turn = turn::light();
    let kamailio = Config::of("kafka")
        .text_param("brokers", "PLAINTEXT://127.0.0.1:1,127.0.0.1:2")
        .number("init_without_kafka", 1)
        .start();
    kamailio.stop();
}

#[test]
fn a_start_without_a_broker_is_allowed_or_not() {
    needs!("kamailio", "kafka_module");
    let _turn = turn::light();
    let config = || {
        Config::of("kafka")
            .text_param("brokers", &format!("127.0.0.1:{}", port::free()))
            .text_param("topic", "name=calls")
            .number("metadata_timeout", 300)
    };
    let (_, log) = config().refused();
    assert_eq!(messages(&log, "broker"), 1, "{log}");
    let kamailio = config()
        .number("init_without_kafka", 1)
        .number("drain_timeout_ms", 100)
        .request(r#"kafka_send("calls", "x"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    kamailio.stop();
}
