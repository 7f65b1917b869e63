//! `kazoo_async_query`: the request waits for its answer and holds no process up.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::broker::{self, TM, shared, start};
use super::bus::{Bus, Service, service};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::sip::Sip;
use crate::sipp::Sipp;
use crate::{port, turn, wait};

/// Where the answer goes, and what comes of a failure.
const ROUTES: &str = r#"
onreply_route[ANSWERED] {
    send_reply("200", "$(kzR{kz.json,Answer})"); exit;
}
failure_route[FAILED] {
    $var(text) = "failed"; if ($kzR != $null) { $var(text) = "not null"; }
    send_reply("500", "$var(text)"); exit;
}
"#;

/// Asks; what follows runs only where it was false.
pub(super) fn asking(exchange: &str) -> String {
    format!(
        r#"if ($rm == "CANCEL") {{ exit; }}
           kazoo_async_query("{exchange}", "key", "{{'User': '$rU'}}", "ANSWERED", "FAILED");
           $var(rc) = $rc;
           send_reply("503", "false $var(rc)"); exit;"#
    )
}

pub(super) fn suspending(config: Config) -> Config {
    config.before(TM)
}

fn greeter(exchange: &str) -> Service {
    service(Rabbit::shared().port(), exchange, "#", |question| {
        vec![json!({"Answer": format!("hello {}", question["User"].as_str().unwrap())})]
    })
}

/// Code and reason of the answer to one request. An INVITE's answers are repeated, since nobody
/// sends the ACK: those of earlier requests are skipped.
pub(super) fn answer(sip: &Sip, number: u32) -> (u16, String) {
    wait::until_some("the request is answered", || {
        let answer = sip.receive(wait::watchdog())?;
        (answer.0 == number).then_some((answer.1, answer.2))
    })
}

/// Whether tm has forgotten all transactions: none is suspended for ever.
pub(super) fn no_transaction_is_left(kamailio: &Kamailio) {
    wait::until("no transaction is left", || {
        kamailio.rpc("tm.stats", &[])["current"] == json!(0)
    });
}

#[test]
fn an_answer_resumes_the_request() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let _service = greeter("a.answer");
    let kamailio = start(
        suspending(shared())
            .routes(ROUTES)
            .request(&asking("a.answer")),
    );
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE", "MESSAGE"] {
        let number = sip.send(method, "alice", b"");
        assert_eq!(answer(&sip, number), (200, "hello alice".into()));
    }
    assert_eq!(kamailio.counter("queries"), 3);
    kamailio.stop();
}

#[test]
fn every_name_and_form_works() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let service = greeter("a.forms");
    let forms = [
        r#"kazoo_async_query("a.forms", "key", "$var(ask)", "ANSWERED", "FAILED")"#,
        r#"kazoo_async_query("a.forms", "key", $var(ask), "ANSWERED", "FAILED", "2048")"#,
        r#"kazoo_query_async("a.forms", "key", "$var(ask)", "ANSWERED", "FAILED")"#,
        r#"kazoo_query_async("a.forms", "key", "$var(ask)", "ANSWERED", "FAILED", "k=v")"#,
        r#"kazoo_async_query("a.forms", "key", "$var(ask)", "PLAIN", "FAILED")"#,
    ];
    for form in forms {
        let kamailio = start(
            suspending(shared())
                .routes(ROUTES)
                .routes(r#"route[PLAIN] { send_reply("200", "$(kzR{kz.json,Answer})"); exit; }"#)
                .request(&format!(
                    r#"$var(ask) = "{{'User': '" + $rU + "'}}";
                       {form};
                       send_reply("503", "the script went on"); exit;"#
                )),
        );
        let mut sip = kamailio.sip();
        let number = sip.send("MESSAGE", "bob", b"");
        assert_eq!(answer(&sip, number), (200, "hello bob".into()), "{form}");
        kamailio.stop();
    }
    assert_eq!(service.seen().len(), forms.len());
}

#[test]
fn a_query_that_nobody_answers_runs_the_failure_route() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = service(Rabbit::shared().port(), "a.silent", "#", |_| Vec::new());
    for failure in ["failure_route[FAILED]", "route[FAILED]"] {
        let kamailio = start(
            suspending(shared())
                .number("amqp_query_timeout_sec", 0)
                .number("amqp_query_timeout_micro", 200_000)
                .routes(&ROUTES.replace("failure_route[FAILED]", failure))
                .request(&asking("a.silent")),
        );
        let mut sip = kamailio.sip();
        for method in ["MESSAGE", "INVITE"] {
            let number = sip.send(method, "x", b"");
            assert_eq!(answer(&sip, number), (500, "failed".into()), "{failure}");
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
        suspending(broker::at(&rabbit.url()))
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
    assert_eq!(answer(&sip, number), (200, "filled".into()));
    kamailio.wait_counter("confirmed", 1000);
    // More than may be on its way without being confirmed: the query stands behind it.
    rabbit.freeze();
    let number = sip.send("MESSAGE", "fill", &body);
    assert_eq!(answer(&sip, number), (200, "filled".into()));
    let number = sip.send("MESSAGE", "x", b"");
    assert_eq!(answer(&sip, number), (500, "failed".into()));
    assert_eq!(kamailio.counter("timeouts"), 1);
    rabbit.thaw();
    kamailio.wait_counter("confirmed", 2000);
    kamailio.stop();
}

#[test]
fn the_timeout_may_be_each_requests_own() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let _silent = service(Rabbit::shared().port(), "a.own", "#", |_| Vec::new());
    let kamailio = start(
        suspending(shared())
            .number("amqp_query_timeout_sec", 3600)
            .text_param("amqp_query_timeout_avp", "$avp(kz_timeout)")
            .routes(ROUTES)
            .request(&format!("$avp(kz_timeout) = 150; {}", asking("a.own"))),
    );
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    assert_eq!(answer(&sip, number), (500, "failed".into()));
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
        let config = suspending(broker::alone())
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
    let kamailio = start(suspending(shared()).routes(ROUTES).request(
        r#"$var(ok) = $rU;
           kazoo_async_query("a.named", "key", "{'User': '$rU'}", "$var(ok)", "FAILED");
           $var(rc) = $rc; send_reply("503", "false $var(rc)"); exit;"#,
    ));
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "ANSWERED", b"");
    assert_eq!(answer(&sip, number), (200, "hello ANSWERED".into()));
    let number = sip.send("MESSAGE", "NOWHERE", b"");
    assert_eq!(answer(&sip, number), (503, "false -1".into()));
    no_transaction_is_left(&kamailio);
    kamailio.stop();
}

#[test]
fn false_leaves_a_transaction_that_can_be_used() {
    needs!("kamailio", "kazoo", "tmx.so");
    let _turn = turn::light();
    // No connection, and a timeout that nobody would live to see.
    let kamailio = suspending(broker::at(&format!(
        "amqp://guest:guest@127.0.0.1:{}",
        port::free()
    )))
    .number("amqp_query_timeout_sec", 3600)
    .number("drain_timeout_ms", 100)
    .routes(ROUTES)
    .request(&asking("a.away"))
    .start();
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE"] {
        let number = sip.send(method, "x", b"");
        assert_eq!(answer(&sip, number), (503, "false -1".into()));
    }
    kamailio.stop();
}

#[test]
fn bad_arguments_are_false_and_leave_nothing_suspended() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let kamailio = start(suspending(shared()).routes(ROUTES).request(
        r#"$var(all) = "";
           if (!kazoo_async_query("a.bad", "key", "[]", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "key", "", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "$avp(none)", "{}", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "$rb", "{}", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           send_reply("200", "$var(all)"); exit;"#,
    ));
    assert_eq!(kamailio.sip().message("x", &[b'k'; 256]), "-1-1-1-1");
    no_transaction_is_left(&kamailio);
    kamailio.stop();
}

#[test]
fn more_requests_than_workers_wait_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let silent = service(port, "a.wait", "#", |_| Vec::new());
    let kamailio = start(
        suspending(shared())
            .number("amqp_query_timeout_sec", 60)
            .routes(ROUTES)
            .request(&asking("a.wait")),
    );
    let mut sip = kamailio.sip();
    let sent: Vec<u32> = (0..64)
        .map(|call| sip.send("MESSAGE", &format!("u{call}"), b""))
        .collect();
    wait::until("all are asked about", || silent.seen().len() == 64);
    // All wait for the service, and other requests are served meanwhile.
    assert!(kamailio.sip().answers());
    let bus = Bus::to(port);
    for question in silent.seen().iter().rev() {
        let question = question.json();
        let text = format!("for {}", question["User"].as_str().unwrap());
        let reply = json!({"Msg-ID": question["Msg-ID"], "Answer": text}).to_string();
        bus.publish("targeted", question["Server-ID"].as_str().unwrap(), reply);
    }
    let answers = sent
        .iter()
        .map(|_| sip.receive(wait::watchdog()).expect("an answer"));
    let answers: HashMap<u32, _> = answers.map(|it| (it.0, (it.1, it.2))).collect();
    for (call, number) in sent.iter().enumerate() {
        assert_eq!(answers[number], (200, format!("for u{call}")));
    }
    no_transaction_is_left(&kamailio);
    kamailio.stop();
}

#[test]
fn more_than_async_queries_max_are_false_or_fail_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = service(Rabbit::shared().port(), "a.crowd", "#", |_| Vec::new());
    let kamailio = start(
        suspending(shared())
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
    let (code, _) = answer(&sip, number);
    assert!(code == 500 || code == 503, "{code}");
    assert_eq!(silent.seen().len(), 16);
    drop(kamailio);
}

#[test]
fn one_transaction_asks_again_and_again() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let service = service(Rabbit::shared().port(), "a.again", "#", |question| {
        let count = question["Count"].as_u64().unwrap();
        vec![json!({"Count": count + 1})]
    });
    let kamailio = start(
        suspending(shared())
            .routes(
                r#"onreply_route[MORE] {
                       $var(count) = $(kzR{kz.json,Count});
                       if ($var(count) == 4) { send_reply("200", "asked $var(count) times"); exit; }
                       kazoo_async_query("a.again", "key", "{'Count': $var(count)}", "MORE", "FAILED");
                       $var(rc) = $rc; send_reply("503", "false $var(rc)"); exit;
                   }
                   failure_route[FAILED] { send_reply("500", "failed"); exit; }"#,
            )
            .request(
                r#"kazoo_async_query("a.again", "key", "{'Count': 0}", "MORE", "FAILED");
                   send_reply("503", "false"); exit;"#,
            ),
    );
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE"] {
        let number = sip.send(method, "x", b"");
        assert_eq!(answer(&sip, number), (200, "asked 4 times".into()));
    }
    assert_eq!(service.seen().len(), 8);
    kamailio.stop();
}

#[test]
fn a_call_is_forwarded_after_the_answer() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let gateway = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    gateway.set_read_timeout(Some(wait::watchdog())).unwrap();
    let to = gateway.local_addr().unwrap().port();
    let _service = service(Rabbit::shared().port(), "a.route", "#", move |_| {
        vec![json!({"Answer": format!("sip:127.0.0.1:{to}")})]
    });
    let kamailio = start(
        suspending(shared())
            .routes(
                r#"route[ANSWERED] { $du = $(kzR{kz.json,Answer}); t_relay(); exit; }
                   failure_route[FAILED] { send_reply("500", "failed"); exit; }"#,
            )
            .request(&asking("a.route")),
    );
    let mut sip = kamailio.sip();
    sip.send("INVITE", "carol", b"");
    let mut packet = [0; 65_536];
    let length = gateway.recv(&mut packet).expect("a forwarded request");
    let text = String::from_utf8_lossy(&packet[..length]).into_owned();
    assert!(text.starts_with("INVITE sip:carol@"), "{text}");
    drop(kamailio);
}

#[test]
fn under_load_every_call_gets_its_answer() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so", "sipp");
    let _turn = turn::alone();
    const CALLS: u32 = 3000;
    let service = greeter("a.load");
    let kamailio = start(
        suspending(shared())
            .routes(ROUTES)
            .request(&asking("a.load")),
    );
    Sipp::start("message.xml", kamailio.port(), 500, CALLS).succeed();
    assert!(service.seen().len() >= CALLS as usize);
    assert_eq!(kamailio.counter("timeouts"), 0);
    no_transaction_is_left(&kamailio);
    kamailio.stop();
}

#[test]
fn a_canceled_call_ends_and_its_answer_is_late() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so", "sipp");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let silent = service(port, "a.cancel", "#", |_| Vec::new());
    let kamailio = start(
        suspending(shared())
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
    no_transaction_is_left(&kamailio);
    assert!(kamailio.sip().answers());
    kamailio.stop();
}
