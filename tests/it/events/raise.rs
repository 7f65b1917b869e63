//! `raise_event`: what it takes, what is sent, what it returns.

use serde_json::json;

use super::{event, on, subscribed};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

#[test]
fn attributes_and_values_are_an_object() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"$avp(names) = "user"; $avp(values) = $rU;
               $avp(names) = "port"; $avp(values) = 5060;
               raise_event("E_TEST", "$avp(names)", "$avp(values)");
               $var(answer) = "rc=" + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    // As elsewhere, what was assigned last comes first.
    assert_eq!(
        text(&subscriber.only()),
        event(r#"{"port":5060,"user":"alice"}"#)
    );
    kamailio.stop();
}

#[test]
fn lists_may_be_bare_where_the_event_is_fixed() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"$avp(n) = "b"; $avp(n) = "a"; $avp(v) = "2"; $avp(v) = "1";
               raise_event("E_TEST", $avp(n), $avp(v)); $var(answer) = "" + $rc;
               raise_event("E_TEST", $avp(v)); $var(answer) = $var(answer) + " " + $rc;
               $var(event) = "E_TEST";
               raise_event($var(event), "$avp(v)"); $var(answer) = $var(answer) + " " + $rc;
               raise_event($var(event), $avp(v)); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "1 1 1 -1");
    let sent: Vec<_> = subscriber.wait_for(3).iter().map(text).collect();
    let list = event(r#"["1","2"]"#);
    assert_eq!(sent, [event(r#"{"a":"1","b":"2"}"#), list.clone(), list]);
    assert!(kamailio.stop().contains("must be quoted here"));
}

#[test]
fn values_alone_are_a_list_and_none_are_nothing() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"$avp(v) = "text"; $avp(v) = -7; $var(one) = "single";
               raise_event("E_TEST", "$avp(v)");
               raise_event("E_TEST", "$var(one)");
               raise_event("E_TEST", "$avp(none)");
               raise_event("E_TEST");"#,
        )
        .start();
    kamailio.sip().message("x", b"");
    let sent: Vec<_> = subscriber.wait_for(4).iter().map(text).collect();
    let nothing = r#"{"jsonrpc":"2.0","method":"E_TEST"}"#.to_owned();
    assert_eq!(
        sent,
        [
            event(r#"[-7,"text"]"#),
            event(r#"["single"]"#),
            nothing.clone(),
            nothing
        ]
    );
    kamailio.stop();
}

#[test]
fn a_value_without_an_attribute_is_refused() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"$avp(n) = "a"; $avp(v) = "1"; $avp(v) = "2";
               raise_event("E_TEST", "$avp(n)", "$avp(v)"); $var(answer) = "" + $rc;
               $avp(number) = 5;
               raise_event("E_TEST", "$avp(number)", "$avp(n)"); $var(answer) = $var(answer) + " " + $rc;
               $var(none) = "";
               raise_event("$var(none)", "$avp(n)"); $var(answer) = $var(answer) + " " + $rc;
               raise_event("E_TEST", "$avp(v)", "$avp(n)"); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "-1 -1 -1 1");
    // Too many attributes are told, and the others are sent.
    assert_eq!(text(&subscriber.only()), event(r#"{"2":"a"}"#));
    let log = kamailio.stop();
    assert!(log.contains("more attributes than values"), "{log}");
    assert!(log.contains("is empty"), "{log}");
}

#[test]
fn without_subscribers_it_is_a_success() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .request(r#"raise_event("E_NOBODY", "$avp(x)", "$avp(y)"); $var(answer) = "" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "1");
    kamailio.stop();
}

#[test]
fn any_value_is_json() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(r#"$avp(n) = "body"; $avp(v) = $rb; raise_event("E_TEST", $avp(n), $avp(v));"#)
        .start();
    let body = "quote \" slash \\ \u{7} é".as_bytes();
    kamailio.sip().message("x", body);
    let sent: serde_json::Value = serde_json::from_str(&text(&subscriber.only())).unwrap();
    assert_eq!(
        sent["params"]["body"],
        json!(std::str::from_utf8(body).unwrap())
    );
    kamailio.stop();
}

#[test]
fn parameters_may_be_json() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"raise_event_json("E_TEST", '{ "z" : 1.5, "a" : [ true ], "u" : "$rU" }');
               $var(answer) = "" + $rc;
               raise_event_json("E_TEST", "5"); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("bob", b""), "1 -1");
    assert_eq!(
        text(&subscriber.only()),
        event(r#"{"z":1.5,"a":[true],"u":"bob"}"#)
    );
    kamailio.stop();
}

#[test]
fn an_operator_raises_by_rpc() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config.start();
    kamailio.rpc("raise_event", &[json!("E_TEST")]);
    kamailio.rpc(
        "raise_event",
        &[json!("E_TEST"), json!(r#"{"ip": "::1", "n": 1}"#)],
    );
    kamailio.rpc("evi.raise", &[json!("E_TEST"), json!("a"), json!("b")]);
    let sent: Vec<_> = subscriber.wait_for(3).iter().map(text).collect();
    assert_eq!(
        sent,
        [
            r#"{"jsonrpc":"2.0","method":"E_TEST"}"#.to_owned(),
            event(r#"{"ip":"::1","n":1}"#),
            event(r#"["a","b"]"#),
        ]
    );
    assert!(
        kamailio
            .try_rpc("raise_event", &[json!("E_TEST"), json!("{")])
            .is_err()
    );
    assert!(kamailio.try_rpc("raise_event", &[]).is_err());
    kamailio.stop();
}

#[test]
fn any_process_raises() {
    needs!("kamailio", "event_kafka", "nats", "rtimer.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .after("modparam(\"nats\", \"subject_queue_group\", \"in:group\")")
        .ticking()
        .routes(
            r#"route[TICK] {
                   if ($shtinc(count=>ticks) == 1) { $var(who) = "timer"; raise_event("E_TEST", "$var(who)"); }
               }
               event_route[nats:in] { $var(who) = $natsData; raise_event("E_TEST", "$var(who)"); }"#,
        )
        .start();
    assert_eq!(text(&subscriber.wait_for(1)[0]), event(r#"["timer"]"#));
    super::connected(&kamailio);
    let publisher = Subscriber::publisher(&nats.url());
    publisher.publish("in", "worker");
    assert_eq!(text(&subscriber.wait_for(2)[1]), event(r#"["worker"]"#));
    kamailio.stop();
}
