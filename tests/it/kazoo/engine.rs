//! The engine killed: publishes are not lost, and every query ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::async_query::{no_transaction_is_left, suspending};
use super::broker::{connected, counter, shared, start};
use super::bus::{Bus, service};
use crate::kamailio::{Kamailio, WORKERS};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::tally::Tally;
use crate::{process, sipp, turn, wait};

/// Sets a flag when it goes out of scope.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills the engine, and waits until another one runs.
fn kill_engine(kamailio: &Kamailio) {
    let engine = kamailio.engine().expect("the engine runs");
    process::send(engine, Signal::KILL);
    wait::until("another engine runs", || {
        kamailio.engine().is_some_and(|pid| pid != engine)
    });
}

#[test]
fn nothing_is_lost_when_the_engine_is_killed() {
    needs!("kamailio", "kazoo", "rabbitmq", "sipp");
    let _turn = turn::alone();
    const EACH: usize = 50_000;
    let bus = Bus::to(Rabbit::shared().port());
    bus.exchange("eng.seq", "topic");
    bus.queue("eng.seq.q");
    bus.bind("eng.seq.q", "eng.seq", "#");
    let tally = Tally::default();
    let count = tally.clone();
    let _channel = bus.each("eng.seq.q", move |message| {
        count.add(message.json()["N"].as_str().unwrap().as_bytes());
    });
    // A refused one is tried again, so that each writer's numbers have no gap of their own.
    let kamailio = start(shared().request(
        r#"$var(n) = 0;
           while ($var(n) < 50000) {
               if (kazoo_publish("eng.seq", "k", "{'N':'$pp:$var(n)'}")) { $var(n) = $var(n) + 1; }
               else { usleep("1000"); }
           }
           $var(answer) = "done";"#,
    ));
    let mut sip = kamailio.sip();
    // Two of the workers publish; the others have SIP to answer.
    for _ in 0..2 {
        sip.send("MESSAGE", "x", b"");
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| sipp::options_until(kamailio.port(), &done));
        // Also where a wait below fails, or the scope would never end.
        let _done = Finally(&done);
        for round in 1..=3 {
            wait::until("a part is confirmed", || tally.unique() >= round * EACH / 4);
            kill_engine(&kamailio);
        }
        let mut ended = 0;
        wait::until("both loops ended", || {
            let answer = sip.receive(Duration::from_millis(5));
            ended += usize::from(answer.is_some_and(|answer| answer.2 == "done"));
            ended == 2
        });
    });
    wait::until("all arrived", || tally.unique() == 2 * EACH);
    assert_eq!(tally.writers(), 2);
    eprintln!(
        "three engine kills: {} of {} arrived twice",
        tally.duplicates(),
        2 * EACH
    );
    assert_eq!(tally.out_of_order(), 0);
    assert_eq!(kamailio.rpc("sipbus.status", &[])["engine"]["restarts"], 3);
    assert_eq!(counter(&kamailio, "accepted"), 2 * EACH as u64);
    kamailio.stop();
}

#[test]
fn queries_that_wait_end_at_their_deadline() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let silent = service(Rabbit::shared().port(), "eng.ask", "#", |_| Vec::new());
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
        kill_engine(&kamailio);
        connected(&kamailio);
    }
    kamailio.stop();
}

#[test]
fn suspended_requests_fail_when_the_engine_dies() {
    needs!("kamailio", "kazoo", "rabbitmq", "tmx.so");
    let _turn = turn::light();
    let silent = service(Rabbit::shared().port(), "eng.async", "#", |_| Vec::new());
    // Nobody lives to see this timeout: they fail because the next engine says so.
    let kamailio = start(
        suspending(shared())
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
    no_transaction_is_left(&kamailio);
    kamailio.stop();
}

#[test]
fn a_killed_engine_comes_back_also_for_consumers() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("eng.seen", "topic", "#");
    let kamailio = start(shared().routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("eng.in", "topic", "eng.in", "#"); }
           event_route[kazoo:consumer-event] {
               if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
               kazoo_publish("eng.seen", "$kzRK", "{}");
           }"##,
    ));
    for round in 1..=3 {
        bus.publish("eng.in", &format!("k{round}"), "{}");
        assert_eq!(seen.wait_for(round)[round - 1].key, format!("k{round}"));
        kill_engine(&kamailio);
        connected(&kamailio);
    }
    bus.publish("eng.in", "after", "{}");
    wait::until("the last one was consumed", || {
        seen.messages().iter().any(|each| each.key == "after")
    });
    kamailio.stop();
}
