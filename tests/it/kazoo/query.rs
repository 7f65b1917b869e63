//! `kazoo_query`: a request waits for the answer that carries its `Msg-ID`.

use serde_json::{Value, json};

use super::broker::{self, shared, start};
use super::bus::{Bus, Service, service};
use crate::kamailio::WORKERS;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{port, turn, wait};

/// Answers every question with its user.
fn greeter(exchange: &str) -> Service {
    service(Rabbit::shared().port(), exchange, "#", |question| {
        vec![json!({"Answer": format!("hello {}", question["User"].as_str().unwrap())})]
    })
}

/// Nobody answers here.
fn silent(exchange: &str) -> Service {
    service(Rabbit::shared().port(), exchange, "#", |_| Vec::new())
}

#[test]
fn every_form_brings_the_answer() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let service = greeter("q.forms");
    let forms = [
        r#"kazoo_query("q.forms", "key", "$var(ask)")"#,
        r#"kazoo_query("q.forms", "key", "$var(ask)", "$var(result)")"#,
        r#"kazoo_query("q.forms", "key", "$var(ask)", $var(result))"#,
        r#"kazoo_query("q.forms", "key", "$var(ask)", "$avp(result)")"#,
        r#"kazoo_query("q.forms", "key", $var(ask), "$xavp(result=>x)")"#,
        r#"kazoo_query("q.forms", "key", "$var(ask)", "$var(result)", "h1=v1;h2=v2")"#,
        r#"kazoo_query("q.forms", "key", "$var(ask)", $var(result), "h=$rU")"#,
    ];
    for (count, form) in forms.into_iter().enumerate() {
        let kamailio = start(shared().request(&format!(
            r#"$var(ask) = "{{'User': '" + $rU + "'}}"; $var(result) = "unset";
               $xavp(result=>x) = "unset"; $avp(result) = "unset";
               if ({form}) {{
                   $var(answer) = $(kzR{{kz.json,Answer}}) + "|" + $(var(result){{kz.json,Answer}})
                       + "|" + $(avp(result){{kz.json,Answer}})
                       + "|" + $(xavp(result=>x){{kz.json,Answer}});
               }} else {{ $var(answer) = "rc=" + $rc; }}"#
        )));
        let variable = |name: &str| {
            if form.contains(name) {
                "hello alice"
            } else {
                ""
            }
        };
        let expected = format!(
            "hello alice|{}|{}|{}",
            variable("$var(result)"),
            variable("$avp(result)"),
            variable("$xavp(result")
        );
        assert_eq!(kamailio.sip().message("alice", b""), expected, "{form}");
        let question = service.seen().remove(count);
        let headers: Vec<&str> = question.headers.values().map(String::as_str).collect();
        match count {
            5 => assert_eq!(headers, ["v1", "v2"]),
            6 => assert_eq!(headers, ["alice"]),
            _ => assert!(headers.is_empty()),
        }
        assert_eq!(question.json()["App-Name"], "kamailio");
        kamailio.stop();
    }
}

#[test]
fn the_answer_is_what_a_consumed_message_is() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let _service = service(Rabbit::shared().port(), "q.whole", "#", |_| {
        vec![json!({"Server-ID": "service.key", "A": [1, "x"], "Name": "Jürgen / é"})]
    });
    let kamailio = start(shared().request(
        r#"kazoo_query("q.whole", "key", "{}", "$var(result)");
           $var(same) = "different"; if ($var(result) == $kzR) { $var(same) = "same"; }
           $var(answer) = $(kzR{kz.json,Server-ID}) + "|" + $(kzR{kz.json,AMQP-Broker-Zone}) + "|"
               + $(kzR{kz.json,A}) + "|" + $(kzR{kz.json,Name}) + "|" + $var(same);"#,
    ));
    assert_eq!(
        kamailio.sip().message("x", b""),
        r#"consumer://1/service.key|local|[ 1, "x" ]|Jürgen / é|same"#
    );
    kamailio.stop();
}

#[test]
fn every_worker_gets_its_own_answer() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    // Answers come in pairs and in the wrong order.
    let held: std::sync::Mutex<Option<Value>> = std::sync::Mutex::new(None);
    let _service = service(Rabbit::shared().port(), "q.many", "#", move |question| {
        let answer = json!({"Msg-ID": question["Msg-ID"], "Answer": question["User"]});
        let other = held.lock().unwrap().replace(answer.clone());
        match other {
            Some(other) => {
                *held.lock().unwrap() = None;
                vec![answer, other]
            }
            None => Vec::new(),
        }
    });
    let kamailio = start(shared().number("amqp_query_timeout_sec", 60).request(
        r#"kazoo_query("q.many", "key", "{'User': '$rU'}"); $var(answer) = $(kzR{kz.json,Answer});"#,
    ));
    let mut sip = kamailio.sip();
    for round in 0..50 {
        let users: Vec<String> = (0..WORKERS)
            .map(|each| format!("u{round}-{each}"))
            .collect();
        let sent: Vec<u32> = users
            .iter()
            .map(|user| sip.send("MESSAGE", user, b""))
            .collect();
        for _ in &sent {
            let (number, code, reason) = sip.receive(wait::watchdog()).expect("an answer");
            let place = sent.iter().position(|each| *each == number).unwrap();
            assert_eq!((code, &reason), (200, &users[place]));
        }
    }
    let asked = u64::from(50 * WORKERS);
    assert_eq!(kamailio.counter("queries"), asked);
    assert_eq!(kamailio.counter("timeouts"), 0);
    kamailio.stop();
}

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
fn a_result_is_of_its_own_query_only() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (_greeter, _silent) = (greeter("q.first"), silent("q.second"));
    let kamailio = start(
        shared()
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 300_000)
            .request(
                r#"$var(answer) = "";
                   if ($kzR != $null) { $var(answer) = "left over "; }
                   kazoo_query("q.first", "key", "{'User': '$rU'}");
                   $var(answer) = $var(answer) + $(kzR{kz.json,Answer});
                   kazoo_query("q.second", "key", "{}");
                   if ($kzR == $null) { $var(answer) = $var(answer) + " null"; }"#,
            ),
    );
    let mut sip = kamailio.sip();
    for _ in 0..WORKERS * 2 {
        assert_eq!(sip.message("bob", b""), "hello bob null");
    }
    kamailio.stop();
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
fn an_answer_may_come_over_any_queue() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let silent = silent("q.ask");
    let bus = Bus::to(Rabbit::shared().port());
    let kamailio = start(
        shared()
            .number("amqp_query_timeout_sec", 60)
            .routes(
                r##"event_route[kazoo:mod-init] {
                       kazoo_subscribe("q.other", "topic", "q.other", "#");
                   }
                   event_route[kazoo:consumer-event-connection] { exit; }
                   event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"##,
            )
            .request(
                r#"kazoo_query("q.ask", "key", "{}"); $var(answer) = $(kzR{kz.json,Answer});"#,
            ),
    );
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    wait::until("the service was asked", || silent.seen().len() == 1);
    let id = silent.seen()[0].json()["Msg-ID"].clone();
    // First one that is for nobody.
    bus.publish("q.other", "k", r#"{"Msg-ID":"of nobody","Answer":"wrong"}"#);
    bus.publish(
        "q.other",
        "k",
        json!({"Msg-ID": id, "Answer": "right"}).to_string(),
    );
    let answer = wait::until_some("the query ends", || sip.receive(wait::watchdog()));
    assert_eq!(answer, (number, 200, "right".into()));
    kamailio.wait_counted("events", 1);
    assert_eq!(kamailio.counted("events"), 1);
    kamailio.stop();
}

#[test]
fn a_given_msg_id_is_the_one_that_is_matched() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let service = greeter("q.given");
    let kamailio = start(shared().request(
        r#"kazoo_query("q.given", "key", "{'User': '$rU', 'Msg-ID': 'mine-$rU'}");
           $var(answer) = $(kzR{kz.json,Msg-ID});"#,
    ));
    assert_eq!(kamailio.sip().message("eve", b""), "mine-eve");
    assert_eq!(service.seen()[0].json()["Msg-ID"], "mine-eve");
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

#[test]
fn events_and_timers_may_ask_too() {
    needs!("kamailio", "kazoo", "rabbitmq", "rtimer.so");
    let _turn = turn::light();
    let _service = greeter("q.from");
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("q.seen", "topic", "#");
    let kamailio = start(
        shared()
            .after(
                "loadmodule \"rtimer.so\"\n\
                 modparam(\"rtimer\", \"timer\", \"name=tick;interval=100000u;mode=1;\")\n\
                 modparam(\"rtimer\", \"exec\", \"timer=tick;route=TICK\")",
            )
            .routes(
                r##"route[TICK] {
                       kazoo_query("q.from", "key", "{'User': 'timer'}");
                       kazoo_publish("q.seen", "timer", "$kzR");
                   }
                   event_route[kazoo:mod-init] {
                       kazoo_subscribe("q.events", "topic", "q.events", "#");
                   }
                   event_route[kazoo:consumer-event-connection] { exit; }
                   event_route[kazoo:consumer-event] {
                       $var(user) = $(kzE{kz.json,User});
                       kazoo_query("q.from", "key", "{'User': '$var(user)'}");
                       kazoo_publish("q.seen", "event", "$kzR");
                   }"##,
            ),
    );
    bus.publish("q.events", "x", r#"{"User":"event"}"#);
    for key in ["timer", "event"] {
        wait::until("both asked", || {
            seen.messages().iter().any(|each| each.key == key)
        });
        let all = seen.messages();
        let first = all.iter().find(|each| each.key == key).unwrap();
        assert_eq!(first.json()["Answer"], format!("hello {key}"));
    }
    kamailio.stop();
}
