//! `kazoo_async_query`: the request waits for its answer and holds no process up.

use std::collections::HashMap;

use serde_json::json;

use super::broker::{shared, start};
use super::bus::{Bus, greeter, service, silent};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::sipp::Sipp;
use crate::{turn, wait};

/// Where the answer goes, and what comes of a failure.
pub(super) const ROUTES: &str = r#"
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

#[test]
fn an_answer_resumes_the_request() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let _service = greeter("a.answer");
    let kamailio = start(
        shared()
            .suspending()
            .routes(ROUTES)
            .request(&asking("a.answer")),
    );
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE", "MESSAGE"] {
        let number = sip.send(method, "alice", b"");
        assert_eq!(sip.answer(number), (200, "hello alice".into()));
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
            shared()
                .suspending()
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
        assert_eq!(sip.answer(number), (200, "hello bob".into()), "{form}");
        kamailio.stop();
    }
    assert_eq!(service.seen().len(), forms.len());
}

#[test]
fn bad_arguments_are_false_and_leave_nothing_suspended() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let kamailio = start(shared().suspending().routes(ROUTES).request(
        r#"$var(all) = "";
           if (!kazoo_async_query("a.bad", "key", "[]", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "key", "", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "$avp(none)", "{}", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           if (!kazoo_async_query("a.bad", "$rb", "{}", "ANSWERED", "FAILED")) { $var(all) = $var(all) + $rc; }
           send_reply("200", "$var(all)"); exit;"#,
    ));
    assert_eq!(kamailio.sip().message("x", &[b'k'; 256]), "-1-1-1-1");
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn more_requests_than_workers_wait_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let silent = silent("a.wait");
    let kamailio = start(
        shared()
            .suspending()
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
    kamailio.wait_no_transaction();
    kamailio.stop();
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
        shared().suspending()
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
        assert_eq!(sip.answer(number), (200, "asked 4 times".into()));
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
        shared()
            .suspending()
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
        shared()
            .suspending()
            .routes(ROUTES)
            .request(&asking("a.load")),
    );
    Sipp::start("message.xml", kamailio.port(), 500, CALLS).succeed();
    assert!(service.seen().len() >= CALLS as usize);
    assert_eq!(kamailio.counter("timeouts"), 0);
    kamailio.wait_no_transaction();
    kamailio.stop();
}
