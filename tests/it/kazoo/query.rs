//! `kazoo_query`: a request waits for the answer that carries its `Msg-ID`.

use serde_json::{Value, json};

use super::broker::{shared, start};
use super::bus::{Bus, greeter, service, silent};
use crate::kamailio::WORKERS;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{turn, wait};

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
fn events_and_timers_may_ask_too() {
    needs!("kamailio", "kazoo", "rabbitmq", "rtimer.so");
    let _turn = turn::light();
    let _service = greeter("q.from");
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("q.seen", "topic", "#");
    let kamailio = start(shared().ticking().routes(
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
    ));
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
