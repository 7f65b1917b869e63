//! Bad arguments: each is a refusal that a counter tells, never a crash and nothing sent.

use super::broker::{shared, start};
use super::bus::Bus;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

/// Publishes, queries and queries with a variable, with the body as JSON.
const ALL_WITH_BODY: &str = r#"
    kazoo_publish("b.json", "key", "$rb"); $var(answer) = "" + $rc;
    kazoo_query("b.json", "key", "$rb"); $var(answer) = $var(answer) + $rc;
    kazoo_query("b.json", "key", "$rb", "$var(result)"); $var(answer) = $var(answer) + $rc;"#;

#[test]
fn what_is_no_json_object_is_refused() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = Bus::to(Rabbit::shared().port()).listen("b.json", "topic", "#");
    let kamailio = start(shared().request(ALL_WITH_BODY));
    let mut sip = kamailio.sip();
    let bad: [&[u8]; 16] = [
        b"",
        b"null",
        b"[]",
        b"\"x\"",
        b"5",
        b"true",
        b"{",
        b"{\"a\"",
        b"{\"a\":}",
        b"{a:1}",
        b"}",
        b"not json",
        b"{\"a\":1",
        b"{'user': 'O'Brien'}",
        b"\xff\xfe",
        b"   ",
    ];
    for body in bad {
        let shown = String::from_utf8_lossy(body);
        assert_eq!(sip.message("x", body), "-1-1-1", "{shown}");
    }
    // Deeper than anybody means it.
    assert_eq!(
        sip.message("x", "{\"a\":".repeat(5000).as_bytes()),
        "-1-1-1"
    );
    assert_eq!(kamailio.counter("refused_invalid"), 17 * 3);
    assert_eq!(kamailio.counter("accepted"), 0);
    seen.settle();
    assert_eq!(seen.count(), 0);
    kamailio.stop();
}

#[test]
fn null_and_empty_arguments_are_refused() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(shared().request(
        r#"$var(answer) = "";
           kazoo_publish("$avp(none)", "k", "{}"); $var(answer) = $var(answer) + $rc;
           kazoo_publish("e", "$avp(none)", "{}"); $var(answer) = $var(answer) + $rc;
           kazoo_publish("e", "k", "$avp(none)"); $var(answer) = $var(answer) + $rc;
           kazoo_publish("e", "k", $avp(none)); $var(answer) = $var(answer) + $rc;
           kazoo_query("$avp(none)", "k", "{}"); $var(answer) = $var(answer) + $rc;
           kazoo_query("e", "$avp(none)", "{}"); $var(answer) = $var(answer) + $rc;
           kazoo_query("e", "k", "$avp(none)"); $var(answer) = $var(answer) + $rc;
           kazoo_encode("$avp(none)", "$var(x)"); $var(answer) = $var(answer) + $rc;
           kazoo_json("$avp(none)", "a", "$var(x)"); $var(answer) = $var(answer) + $rc;
           kazoo_json("{}", "$avp(none)", "$var(x)"); $var(answer) = $var(answer) + $rc;
           kazoo_json_keys("$avp(none)", "a", "$avp(x)"); $var(answer) = $var(answer) + $rc;"#,
    ));
    assert_eq!(kamailio.sip().message("x", b""), "-1".repeat(11));
    kamailio.stop();
}

#[test]
fn names_that_amqp_cannot_carry_are_refused() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = Bus::to(Rabbit::shared().port()).listen("b.long", "topic", "#");
    let kamailio = start(shared().request(
        r#"if ($rU == "key") {
               kazoo_publish("b.long", "$rb", "{}"); $var(answer) = "" + $rc;
               kazoo_query("b.long", "$rb", "{}"); $var(answer) = $var(answer) + $rc;
           } else {
               kazoo_publish("$rb", "key", "{}"); $var(answer) = "" + $rc;
               kazoo_query("$rb", "key", "{}"); $var(answer) = $var(answer) + $rc;
           }"#,
    ));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("key", &[b'k'; 256]), "-1-1");
    assert_eq!(sip.message("exchange", &[b'e'; 256]), "-1-1");
    seen.settle();
    assert_eq!(seen.count(), 0);
    // The longest there is.
    let longest = start(
        shared().request(r#"kazoo_publish("b.long", "$rb", "{}"); $var(answer) = "" + $rc;"#),
    );
    assert_eq!(longest.sip().message("key", &[b'k'; 255]), "1");
    assert_eq!(seen.only().key.len(), 255);
    longest.stop();
    kamailio.stop();
}

#[test]
fn a_target_that_names_no_server_is_refused() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(
        shared().request(r#"kazoo_publish("targeted", "$rb", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    let mut sip = kamailio.sip();
    let bad = [
        "consumer://",
        "consumer://1",
        "consumer:///key",
        "consumer://x/key",
        "consumer://2/key",
        "consumer://-1/key",
        "consumer://99999999999999999999/key",
    ];
    for key in bad {
        assert_eq!(sip.message("x", key.as_bytes()), "rc=-1", "{key}");
    }
    assert_eq!(kamailio.counter("refused_invalid"), bad.len() as u64);
    assert_eq!(sip.message("x", b"consumer://1/key"), "rc=1");
    kamailio.stop();
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_at_start() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    for call in [
        r#"kazoo_query("e", "k", "{}", "$ci")"#,
        r#"kazoo_query("e", "k", "{}", "text")"#,
        r#"kazoo_json("{}", "a", "$ci")"#,
        r#"kazoo_encode("a", "$ci")"#,
        r#"kazoo_json_keys("{}", "a", "$ci")"#,
    ] {
        let config = super::broker::alone().request(&format!("{call};"));
        let (status, log) = config.refused();
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{call}: {status}"
        );
        assert!(
            log.contains("$ci") || log.contains("text"),
            "{call}:\n{log}"
        );
    }
}
