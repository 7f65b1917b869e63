//! The engine killed: every query ends, and events come again.

use rustix::process::Signal;

use super::broker::{connected, shared, start};
use super::bus::{Bus, service, silent};
use crate::kamailio::WORKERS;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{process, turn, wait};

#[test]
fn queries_that_wait_end_at_their_deadline() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let silent = silent("eng.ask");
    let kamailio = start(
        shared()
            .number("amqp_query_timeout_sec", 3)
            .request(r#"kazoo_query("eng.ask", "k", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    let mut sip = kamailio.sip();
    for _ in 0..WORKERS {
        sip.send("MESSAGE", "x", b"");
    }
    wait::until("all wait", || silent.seen().len() >= WORKERS as usize);
    process::send(kamailio.engine().unwrap(), Signal::KILL);
    for _ in 0..WORKERS {
        let answer = sip.receive(wait::watchdog()).expect("an answer");
        assert_eq!((answer.1, answer.2.as_str()), (200, "rc=-1"));
    }
    // And the next ones are answered by the engine that came.
    connected(&kamailio);
    kamailio.stop();
}

#[test]
fn queries_go_on_with_the_next_engine() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let _service = service(Rabbit::shared().port(), "eng.next", "#", |question| {
        vec![serde_json::json!({"Answer": question["User"]})]
    });
    let kamailio = start(shared().request(
        r#"kazoo_query("eng.next", "k", "{'User':'$rU'}"); $var(answer) = $(kzR{kz.json,Answer});"#,
    ));
    let mut sip = kamailio.sip();
    for round in 0..4 {
        let user = format!("u{round}");
        assert_eq!(sip.message(&user, b""), user);
        kamailio.kill_engine();
        connected(&kamailio);
    }
    kamailio.stop();
}

#[test]
fn suspended_requests_fail_when_the_engine_dies() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = silent("eng.async");
    // Nobody lives to see this timeout: they fail because the next engine says so.
    let kamailio = start(
        shared()
            .suspending()
            .number("amqp_query_timeout_sec", 3600)
            .routes(
                r#"onreply_route[ANSWERED] { send_reply("200", "answered"); exit; }
                   failure_route[FAILED] { send_reply("500", "failed"); exit; }"#,
            )
            .request(
                r#"kazoo_async_query("eng.async", "k", "{}", "ANSWERED", "FAILED");
                   send_reply("503", "false"); exit;"#,
            ),
    );
    let mut sip = kamailio.sip();
    for _ in 0..50 {
        sip.send("MESSAGE", "x", b"");
    }
    wait::until("all wait", || silent.seen().len() >= 50);
    process::send(kamailio.engine().unwrap(), Signal::KILL);
    for _ in 0..50 {
        let answer = sip.receive(wait::watchdog()).expect("an answer");
        assert_eq!((answer.1, answer.2.as_str()), (500, "failed"));
    }
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn a_killed_engine_comes_back_also_for_consumers() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("eng.seen", "topic", "#");
    // What an engine had published but not confirmed when it died comes once more with the next.
    let consumed = |key: &str| {
        bus.publish("eng.in", key, "{}");
        wait::until("it was consumed", || {
            seen.messages().iter().any(|each| each.key == key)
        });
    };
    let kamailio = start(shared().routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("eng.in", "topic", "eng.in", "#"); }
           event_route[kazoo:consumer-event] {
               if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
               kazoo_publish("eng.seen", "$kzRK", "{}");
           }"##,
    ));
    for round in 1..=3 {
        consumed(&format!("k{round}"));
        kamailio.kill_engine();
        connected(&kamailio);
    }
    consumed("after");
    kamailio.stop();
}
