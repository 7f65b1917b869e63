//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use super::broker::alone;
use crate::kamailio::Config;
use crate::mistake::{self, Mistake, Value::Number, Value::Text, messages};
use crate::require::needs;
use crate::turn;

const MISTAKES: &[Mistake] = &[
    ("amqp_connection", Text("http://127.0.0.1:5672"), "http"),
    ("amqp_connection", Text("127.0.0.1:5672"), "127.0.0.1:5672"),
    ("amqp_connection", Text("amqp://127.0.0.1:port"), "port"),
    ("amqp_connection", Text("amqp://127.0.0.1:99999"), "99999"),
    ("amqp_connection", Text("zone=;amqp://127.0.0.1"), "zone"),
    ("amqp_connection", Text("zone=x"), "zone=x"),
    ("amqp_connection", Text("amqp://127.0.0.1/a/b"), "a/b"),
    ("amqp_heartbeats", Number(-1), "-1"),
    ("amqp_connect_timeout_sec", Number(-2), "-2"),
    ("amqp_query_timeout_sec", Number(-3), "-3"),
    ("amqp_query_timeout_micro", Number(-4), "-4"),
    ("amqp_consumer_workers", Number(-5), "-5"),
    ("amqp_consumer_workers", Number(100_000), "100000"),
    ("prefetch", Number(0), "0"),
    ("prefetch", Number(65_536), "65536"),
    ("async_queries_max", Number(0), "0"),
    ("reply_size_max", Number(1), "1"),
    ("publisher_confirms", Number(7), "7"),
    ("queue_size", Number(-6), "-6"),
    ("message_size_max", Number(-7), "-7"),
    ("inbox_size", Number(1), "1"),
    ("drain_timeout_ms", Number(-8), "-8"),
    ("amqps_verify_peer", Number(9), "9"),
    (
        "amqps_ca_cert",
        Text("/nonexistent/ca.pem"),
        "/nonexistent/ca.pem",
    ),
];

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    mistake::each_is_refused(MISTAKES, |_| alone());
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    mistake::all_are_told(MISTAKES, alone(), |_| true);
}

#[test]
fn a_host_name_is_mandatory() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let (status, log) = Config::of("kazoo").number("pua_mode", 0).refused();
    assert!(!status.success());
    assert_eq!(messages(&log, "node_hostname", "mandatory"), 1, "{log}");
}

#[test]
fn a_certificate_needs_its_key() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    let (_, log) = alone().text_param("amqps_cert", &path).refused();
    assert!(log.contains("amqps_key"), "{log}");
}

#[test]
fn a_timeout_variable_must_be_one() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let config = alone().text_param("amqp_query_timeout_avp", "no variable");
    let (status, log) = config.refused();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(log.contains("amqp_query_timeout_avp"), "{log}");
}

#[test]
fn an_unknown_parameter_is_refused() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    mistake::unknown_is_refused(alone(), "amqp_max_chanels");
}

#[test]
fn a_password_in_a_wrong_url_is_not_shown() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let urls = [
        "http://sip:s3cret-Pass@127.0.0.1:5672",
        "amqp://sip:s3cret-Pass@127.0.0.1:port",
        "zone=x;amqp://sip:s3cret-Pass@127.0.0.1/a/b",
        "sip:s3cret-Pass@127.0.0.1",
        "amqp://s3cret-Pass@127.0.0.1:99999",
    ];
    mistake::a_secret_is_not_shown(alone, "amqp_connection", &urls, "s3cret-Pass");
}
