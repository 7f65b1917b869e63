//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use crate::kamailio::Config;
use crate::require::needs;
use crate::turn;

/// Parameter, wrong value, and what the message must show.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("broker_id", "127.0.0.1:9092/topic", "brackets"),
    ("broker_id", "[k1 127.0.0.1:9092/topic", "bracket"),
    ("broker_id", "[]127.0.0.1:9092/topic", "ID is empty"),
    ("broker_id", "[k1]127.0.0.1:9092", "topic is missing"),
    ("broker_id", "[k1]127.0.0.1:9092/", "topic is empty"),
    ("broker_id", "[k1]/topic", "host is missing"),
    ("broker_id", "[k1]127.0.0.1:port/topic", "port must be"),
    ("broker_id", "[k1]127.0.0.1:99999/topic", "port must be"),
    ("broker_id", "[k1]127.0.0.1:9092/a/b", "letters, digits"),
    (
        "broker_id",
        "[k1]127.0.0.1:9092/t?g.linger.ms=1?t.acks=1",
        "second '?'",
    ),
    (
        "broker_id",
        "[k1]127.0.0.1:9092/t?linger.ms=1",
        "neither g. nor t.",
    ),
    (
        "broker_id",
        "[k1]127.0.0.1:9092/t?g.linger.ms",
        "name=value",
    ),
    ("broker_id", "[k1]127.0.0.1:9092/t?key=other", "callid"),
    // The library's own verdict.
    (
        "broker_id",
        "[k1]127.0.0.1:9092/t?g.no.such.property=1",
        "no.such.property",
    ),
    (
        "broker_id",
        "[k1]127.0.0.1:9092/t?g.linger.ms=soon",
        "linger.ms",
    ),
    ("broker_id", "[k1]127.0.0.1:9092/t?t.acks=7000000", "acks"),
    ("consume", "group=g;topics=t", "brokers= is missing"),
    (
        "consume",
        "brokers=127.0.0.1:9092;topics=t",
        "group= is missing",
    ),
    (
        "consume",
        "brokers=127.0.0.1:9092;group=g",
        "topics= is missing",
    ),
    (
        "consume",
        "brokers=127.0.0.1:9092;group=g;topics=t;workers=0",
        "workers",
    ),
    (
        "consume",
        "brokers=127.0.0.1:9092;group=g;topics=t;colour=red",
        "colour",
    ),
    (
        "consume",
        "brokers=127.0.0.1:9092;group=g;topics=t;g.no.such=1",
        "no.such",
    ),
];

/// The lines of the log that are errors of the parameter and show the text.
fn messages(log: &str, parameter: &str, shown: &str) -> usize {
    let errors = log.lines().filter(|line| line.contains("ERROR:"));
    errors
        .filter(|line| line.contains(parameter) && line.contains(shown))
        .count()
}

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let mut wrong = Vec::new();
    for (parameter, value, shown) in MISTAKES {
        let config = Config::of("event_kafka").text_param(parameter, value);
        match config.outcome() {
            Err(_) => wrong.push(format!("{parameter} = {value}: accepted")),
            Ok((status, log)) => {
                let count = messages(&log, parameter, shown);
                if status.success() || count != 1 {
                    wrong.push(format!(
                        "{parameter} = {value}: {status}, {count} messages in\n{log}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_syntax_error_points_at_its_character() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let socket = "[k1]127.0.0.1:9092/bad topic";
    let (_, log) = Config::of("event_kafka")
        .text_param("broker_id", socket)
        .refused();
    let at = socket.find(' ').unwrap() + 1;
    assert_eq!(
        messages(&log, "broker_id", &format!("character {at}")),
        1,
        "{log}"
    );
}

#[test]
fn an_id_is_given_once() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let socket = " [k1]127.0.0.1:9092/topic";
    let config = Config::of("event_kafka").text_param("broker_id", socket);
    let (_, log) = config.text_param("broker_id", socket).refused();
    assert_eq!(messages(&log, "broker_id", "[k1] already"), 1, "{log}");
}

#[test]
fn secrets_are_not_shown() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    for rest in [
        "topic?g.sasl.password=s3cret-Pass&g.no.such.property=1",
        "topic?g.sasl.password=s3cret-Pass&g.ssl.key.password=s3cret-Pass&t.acks=many",
        "topic?g.sasl.password=s3cret-Pass?",
        "bad topic?g.ssl.key.pem=s3cret-Pass",
    ] {
        let socket = format!("[k1]127.0.0.1:9092/{rest}");
        let config = Config::of("event_kafka").before("debug=3");
        let (_, log) = config.text_param("broker_id", &socket).refused();
        assert!(log.contains("modparam event_kafka: "), "{log}");
        // Kamailio's own debug output shows what it reads from the file; ours must not.
        let ours = log.lines().filter(|line| line.contains("event_kafka ["));
        let shown: Vec<&str> = ours.filter(|line| line.contains("s3cret-Pass")).collect();
        assert!(shown.is_empty(), "{shown:?}");
    }
}

#[test]
fn fixed_names_in_the_script_must_exist() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    for (call, shown) in [
        (r#"kafka_publish("k2", "x");"#, "\"k2\""),
        (
            r#"kafka_publish("k1", "x", "", "MISSING");"#,
            "route[MISSING]",
        ),
        (
            r#"kafka_publish("k1", "x", "", "$var(route)");"#,
            "fixed name",
        ),
    ] {
        let config = super::away("g.linger.ms=1").request(call);
        let (_, log) = config.refused();
        assert!(log.contains(shown), "{call}: {shown} in\n{log}");
    }
}

#[test]
fn report_routes_need_report_workers() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let (_, log) = super::away("g.linger.ms=1")
        .number("report_workers", 0)
        .request(r#"kafka_publish("k1", "x", "", "REPORT");"#)
        .routes("route[REPORT] { return; }")
        .refused();
    assert!(log.contains("report_workers"), "{log}");
}
