//! `kazoo_async_query` without an answer: the failure route runs, or it is false at once.

use serde_json::{Value, json};

use super::async_query::{ROUTES, asking};
use super::broker::{self, shared, start};
use super::bus::{Bus, greeter, silent};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::sipp::Sipp;
use crate::{port, turn, wait};

#[test]
fn a_query_that_nobody_answers_runs_the_failure_route() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = silent("a.silent");
    for failure in ["failure_route[FAILED]", "route[FAILED]"] {
        let kamailio = start(
            shared()
                .suspending()
                .number("amqp_query_timeout_sec", 0)
                .number("amqp_query_timeout_micro", 200_000)
                .routes(&ROUTES.replace("failure_route[FAILED]", failure))
                .request(&asking("a.silent")),
        );
        let mut sip = kamailio.sip();
        for method in ["MESSAGE", "INVITE"] {
            let number = sip.send(method, "x", b"");
            assert_eq!(sip.answer(number), (500, "failed".into()), "{failure}");
        }
        kamailio.wait_counter("timeouts", 2);
        kamailio.stop();
    }
    assert_eq!(silent.seen().len(), 4);
}

#[test]
fn a_query_behind_a_server_that_is_stuck_ends_by_its_deadline() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let kamailio = start(
        broker::at(&rabbit.url())
            .suspending()
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 200_000)
            .routes(ROUTES)
            .request(&format!(
                r#"if ($rU == "fill") {{
                       $var(i) = 0;
                       while ($var(i) < 1000) {{
                           kazoo_publish("amq.topic", "k", "{{'text': '$rb'}}");
                           $var(i) = $var(i) + 1;
                       }}
                       send_reply("200", "filled"); exit;
                   }}
                   {}"#,
                asking("amq.topic")
            )),
    );
    let mut sip = kamailio.sip();
    let body = [b'x'; 1024];
    let number = sip.send("MESSAGE", "fill", &body);
    assert_eq!(sip.answer(number), (200, "filled".into()));
    kamailio.wait_counter("confirmed", 1000);
    // More than may be on its way without being confirmed: the query stands behind it.
    rabbit.freeze();
    let number = sip.send("MESSAGE", "fill", &body);
    assert_eq!(sip.answer(number), (200, "filled".into()));
    let number = sip.send("MESSAGE", "x", b"");
    assert_eq!(sip.answer(number), (500, "failed".into()));
    assert_eq!(kamailio.counter("timeouts"), 1);
    rabbit.thaw();
    kamailio.wait_counter("confirmed", 2000);
    kamailio.stop();
}

#[test]
fn the_timeout_may_be_each_requests_own() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let _silent = silent("a.own");
    let kamailio = start(
        shared()
            .suspending()
            .number("amqp_query_timeout_sec", 3600)
            .text_param("amqp_query_timeout_avp", "$avp(kz_timeout)")
            .routes(ROUTES)
            .request(&format!("$avp(kz_timeout) = 150; {}", asking("a.own"))),
    );
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    assert_eq!(sip.answer(number), (500, "failed".into()));
    kamailio.stop();
}

#[test]
fn a_route_that_is_missing_is_an_error_at_start() {
    needs!("kamailio", "kazoo", "tmx.so");
    let _turn = turn::light();
    for (routes, missing) in [
        (ROUTES.replace("ANSWERED", "OTHER"), "ANSWERED"),
        (ROUTES.replace("FAILED", "OTHER"), "FAILED"),
    ] {
        let config = broker::alone()
            .suspending()
            .routes(&routes)
            .request(&asking("a.none"));
        let (status, log) = config.refused();
        assert!(status.code().is_some_and(|code| code != 0), "{status}");
        assert!(log.contains(missing), "{log}");
    }
}

#[test]
fn a_route_that_a_variable_names_may_be_missing() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let _service = greeter("a.named");
    let kamailio = start(shared().suspending().routes(ROUTES).request(
        r#"$var(ok) = $rU;
           kazoo_async_query("a.named", "key", "{'User': '$rU'}", "$var(ok)", "FAILED");
           $var(rc) = $rc; send_reply("503", "false $var(rc)"); exit;"#,
    ));
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "ANSWERED", b"");
    assert_eq!(sip.answer(number), (200, "hello ANSWERED".into()));
    let number = sip.send("MESSAGE", "NOWHERE", b"");
    assert_eq!(sip.answer(number), (503, "false -1".into()));
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn false_leaves_a_transaction_that_can_be_used() {
    needs!("kamailio", "kazoo", "tmx.so");
    let _turn = turn::light();
    // No connection, and a timeout that nobody would live to see.
    let kamailio = broker::at(&format!("amqp://guest:guest@127.0.0.1:{}", port::free()))
        .suspending()
        .number("amqp_query_timeout_sec", 3600)
        .number("drain_timeout_ms", 100)
        .routes(ROUTES)
        .request(&asking("a.away"))
        .start();
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE"] {
        let number = sip.send(method, "x", b"");
        assert_eq!(sip.answer(number), (503, "false -1".into()));
    }
    kamailio.stop();
}

#[test]
fn more_than_async_queries_max_are_false_or_fail_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = silent("a.crowd");
    let kamailio = start(
        shared()
            .suspending()
            .number("amqp_query_timeout_sec", 60)
            .number("async_queries_max", 16)
            .routes(ROUTES)
            .request(&asking("a.crowd")),
    );
    let mut sip = kamailio.sip();
    for _ in 0..16 {
        sip.send("MESSAGE", "x", b"");
    }
    wait::until("all are asked about", || silent.seen().len() == 16);
    let number = sip.send("MESSAGE", "onemore", b"");
    let (code, _) = sip.answer(number);
    assert!(code == 500 || code == 503, "{code}");
    assert_eq!(silent.seen().len(), 16);
    drop(kamailio);
}

#[test]
fn a_canceled_call_ends_and_its_answer_is_late() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so", "sipp");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let silent = silent("a.cancel");
    let kamailio = start(
        shared()
            .suspending()
            .number("amqp_query_timeout_sec", 60)
            .routes(ROUTES)
            .request(
                r#"if ($rm == "CANCEL") { if (t_check_trans()) { t_relay(); } exit; }
                   if ($rm == "ACK") { t_check_trans(); exit; }
                   kazoo_async_query("a.cancel", "key", "{'User': '$rU'}", "ANSWERED", "FAILED");
                   send_reply("503", "false"); exit;"#,
            ),
    );
    Sipp::start("cancel.xml", kamailio.port(), 10, 1).succeed();
    wait::until("the question has arrived", || !silent.seen().is_empty());
    let question: Value = silent.seen()[0].json();
    let reply = json!({"Msg-ID": question["Msg-ID"], "Answer": "late"}).to_string();
    Bus::to(port).publish("targeted", question["Server-ID"].as_str().unwrap(), reply);
    kamailio.wait_no_transaction();
    assert!(kamailio.sip().answers());
    kamailio.stop();
}
