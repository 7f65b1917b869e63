//! `kazoo_query` without an answer in its time: it is false, and what comes later harms nobody.

use serde_json::json;

use super::broker::{self, shared, start};
use super::bus::{Bus, service, silent};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{port, turn, wait};

#[test]
fn a_query_that_nobody_answers_is_false() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let silent = silent("q.silent");
    let timeouts: [(i64, i64, &str); 3] = [
        (0, 200_000, ""),
        (60, 0, "$avp(kz_timeout) = 200;"),
        (0, 100, ""),
    ];
    for (count, (seconds, micro, set)) in timeouts.into_iter().enumerate() {
        let kamailio = start(
            shared()
                .number("amqp_query_timeout_sec", seconds)
                .number("amqp_query_timeout_micro", micro)
                .text_param("amqp_query_timeout_avp", "$avp(kz_timeout)")
                .request(&format!(
                    r#"{set} $var(result) = "before";
                       if (kazoo_query("q.silent", "key", "{{}}", "$var(result)")) {{
                           $var(answer) = "true";
                       }} else {{ $var(answer) = "rc=" + $rc; }}
                       if ($kzR == $null) {{ $var(answer) = $var(answer) + " null"; }}"#
                )),
        );
        // Far within the watchdog, though one of the timeouts is as long as that.
        assert_eq!(kamailio.sip().message("x", b""), "rc=-1 null");
        // The last one is over before anything could be sent.
        if count < 2 {
            wait::until("the service was asked", || silent.seen().len() > count);
        }
        kamailio.wait_counter("timeouts", 1);
        kamailio.stop();
    }
}

#[test]
fn without_a_connection_a_query_is_false_at_once() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    // It would wait far longer than the watchdog does.
    let kamailio = broker::at(&format!("amqp://guest:guest@127.0.0.1:{}", port::free()))
        .number("amqp_query_timeout_sec", 3600)
        .number("drain_timeout_ms", 100)
        .request(r#"kazoo_query("q.away", "key", "{}"); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..20 {
        assert_eq!(sip.message("x", b""), "rc=-1");
    }
    assert_eq!(kamailio.counter("timeouts"), 0);
    kamailio.stop();
}

#[test]
fn a_server_that_dies_leaves_a_query_its_deadline() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let mut rabbit = Rabbit::start();
    let silent = service(rabbit.port(), "q.lost", "#", |_| Vec::new());
    let kamailio = start(
        broker::at(&rabbit.url())
            .number("amqp_query_timeout_sec", 3)
            .request(r#"kazoo_query("q.lost", "key", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    wait::until("the service was asked", || silent.seen().len() == 1);
    rabbit.kill();
    let answer = wait::until_some("the query ends", || sip.receive(wait::watchdog()));
    assert_eq!(answer, (number, 200, "rc=-1".into()));
    kamailio.stop();
}

#[test]
fn a_query_whose_time_is_over_in_the_queue_is_not_sent() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = Bus::to(rabbit.port());
    let seen = bus.listen("q.queued", "topic", "#");
    // More than may be on its way unconfirmed, and the queue has room for it.
    let kamailio = start(
        broker::at(&rabbit.url())
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 100_000)
            .request(
                r#"$var(i) = 0;
                   while ($var(i) < 90) {
                       kazoo_publish("q.queued", "told", "{'Padding': '$rb'}");
                       $var(i) = $var(i) + 1;
                   }
                   kazoo_query("q.queued", "asked", "{}"); $var(answer) = "rc=" + $rc;"#,
            ),
    );
    rabbit.freeze();
    let answer = kamailio.sip().message("x", "x".repeat(6000).as_bytes());
    assert_eq!(answer, "rc=-1");
    rabbit.thaw();
    kamailio.wait_counter("confirmed", 90);
    kamailio.wait_counter("queries_unsent", 1);
    seen.settle();
    assert!(seen.messages().iter().all(|message| message.key == "told"));
    kamailio.stop();
}

#[test]
fn a_late_answer_is_an_event_of_its_own() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let silent = silent("q.late");
    let kamailio = start(
        shared()
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 100_000)
            .request(r#"kazoo_query("q.late", "key", "{}"); $var(answer) = "rc=" + $rc;"#)
            .routes(
                r#"event_route[kazoo:consumer-event] {
                       if ($(kzE{kz.json,Answer}) == "late") { $var(n) = $shtinc(count=>late); }
                   }"#,
            ),
    );
    assert_eq!(kamailio.sip().message("x", b""), "rc=-1");
    wait::until("the service was asked", || silent.seen().len() == 1);
    let question = silent.seen()[0].json();
    let bus = Bus::to(Rabbit::shared().port());
    let answer = json!({"Msg-ID": question["Msg-ID"], "Answer": "late"}).to_string();
    bus.publish("targeted", question["Server-ID"].as_str().unwrap(), answer);
    kamailio.wait_counted("late", 1);
    kamailio.wait_counter("late_replies", 1);
    kamailio.stop();
}

#[test]
fn an_answer_over_the_limit_is_false_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let _service = service(Rabbit::shared().port(), "q.large", "#", |question| {
        let size = question["Size"].as_u64().unwrap();
        vec![json!({"Answer": "x".repeat(usize::try_from(size).unwrap())})]
    });
    let kamailio = start(
        shared()
            .before("pv_buffer_size=300000")
            .private_memory(32)
            .number("amqp_query_timeout_sec", 3600)
            .number("reply_size_max", 200_000)
            .request(
                r#"kazoo_query("q.large", "key", "{'Size': $rU}"); $var(rc) = $rc;
                   $var(answer) = "rc=" + $var(rc) + " " + $(kzR{kz.json,Answer}{s.len});"#,
            ),
    );
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("150000", b""), "rc=1 150000");
    assert_eq!(sip.message("250000", b""), "rc=-1 ");
    assert_eq!(sip.message("10", b""), "rc=1 10");
    kamailio.stop();
}
