//! Bad arguments, and functions out of their place: -1 and one clear error each.

use super::client::Client;
use super::listener::on;
use crate::require::needs;
use crate::{port, turn};

/// How many errors in the log have all of these words.
fn errors(log: &str, words: &[&str]) -> usize {
    let errors = log
        .lines()
        .filter(|line| line.contains("ERROR:") || line.contains("CRITICAL:"));
    errors
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .count()
}

#[test]
fn empty_data_and_empty_tags_are_refused() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    // Each is the only mistake of its Kamailio, so that its error can be counted.
    for (call, what) in [
        (r#"evapi_relay("$var(none)")"#, "data"),
        (r#"evapi_relay($avp(none))"#, "data"),
        (r#"evapi_multicast("$var(none)", "tag")"#, "data"),
        (r#"evapi_multicast("x", "$var(none)")"#, "tag"),
        (r#"evapi_multicast("x", $avp(none))"#, "tag"),
        (r#"evapi_unicast("$var(none)", "tag")"#, "data"),
        (r#"evapi_unicast("x", "$var(none)")"#, "tag"),
    ] {
        let port = port::free();
        let kamailio = on(port)
            .request(&format!(
                r#"$var(none) = ""; {call}; $var(answer) = "rc=" + $rc; evapi_relay("end");"#
            ))
            .start();
        let mut client = Client::connect(&kamailio, port);
        assert_eq!(kamailio.sip().message("x", b""), "rc=-1", "{call}");
        assert_eq!(client.text(), "end", "{call}");
        assert_eq!(kamailio.counter("refused_invalid"), 1, "{call}");
        let log = kamailio.stop();
        assert_eq!(errors(&log, &["evapi", what]), 1, "{call} in\n{log}");
    }
}

#[test]
fn a_tag_has_up_to_63_bytes() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(
            r#"event_route[evapi:message-received] {
                   evapi_set_tag("$evapi(msg)"); $var(rc) = $rc;
                   evapi_relay("rc=$var(rc) $evapi(tag)");
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    let (longest, too_long) = ("t".repeat(63), "t".repeat(64));
    client.send(&longest);
    assert_eq!(client.text(), format!("rc=1 {longest}"));
    // A refused one leaves the tag as it was.
    client.send(&too_long);
    assert_eq!(client.text(), format!("rc=-1 {longest}"));
    let log = kamailio.stop();
    assert_eq!(errors(&log, &["evapi_set_tag", "63"]), 1, "{log}");
}

#[test]
fn an_empty_tag_is_refused() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(
            r#"event_route[evapi:message-received] {
                   evapi_set_tag("one");
                   $var(none) = ""; evapi_set_tag("$var(none)"); $var(rc) = $rc;
                   evapi_relay("rc=$var(rc) $evapi(tag)");
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send("x");
    assert_eq!(client.text(), "rc=-1 one");
    let log = kamailio.stop();
    assert_eq!(errors(&log, &["evapi_set_tag"]), 1, "{log}");
}

#[test]
fn functions_of_a_client_need_an_event_of_one() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .request(
            r#"evapi_close(); $var(answer) = "" + $rc; evapi_close("x"); $var(answer) = $var(answer) + $rc;
               evapi_set_tag("x"); $var(answer) = $var(answer) + $rc;"#,
        )
        .start();
    let client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("x", b""), "-1-1-1");
    let shown = client.shown(&kamailio).expect("it is not closed");
    assert!(shown["tag"].as_str().is_none_or(str::is_empty), "{shown}");
    let log = kamailio.stop();
    assert_eq!(errors(&log, &["evapi_close"]), 2, "{log}");
    assert_eq!(errors(&log, &["evapi_set_tag"]), 1, "{log}");
}

#[test]
fn an_async_function_stands_in_request_routes_only() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    for route in ["failure_route[X]", "onreply_route[X]", "branch_route[X]"] {
        let calls = [
            r#"evapi_async_relay("x")"#,
            r#"evapi_async_multicast("x", "y")"#,
            r#"evapi_async_unicast("x", "y")"#,
        ];
        for call in calls {
            let config = on(port::free()).suspending();
            let (status, log) = config.routes(&format!("{route} {{ {call}; }}")).check();
            assert!(!status.success(), "{call} in {route} is accepted:\n{log}");
            assert!(log.contains("evapi_async"), "{log}");
        }
    }
}

#[test]
fn an_async_function_in_an_event_is_refused() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .routes(
            r#"event_route[evapi:message-received] {
                   evapi_async_relay("x"); $var(rc) = $rc; evapi_relay("rc=$var(rc)");
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send("x");
    assert_eq!(client.text(), "rc=-1");
    kamailio.wait_no_transaction();
    let log = kamailio.stop();
    assert_eq!(errors(&log, &["evapi_async functions"]), 1, "{log}");
}

#[test]
fn too_large_data_is_refused_with_its_size() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("message_size_max", 1000)
        .request(r#"evapi_relay("$rb"); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", &[b'x'; 1001]), "rc=-1");
    assert_eq!(sip.message("x", &[b'x'; 1000]), "rc=1");
    assert_eq!(client.frame().len(), 1000);
    assert_eq!(kamailio.counter("refused_oversized"), 1);
    let log = kamailio.stop();
    assert_eq!(errors(&log, &["1001"]), 1, "{log}");
}
