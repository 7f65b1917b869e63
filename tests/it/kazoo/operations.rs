//! What an operator sees: the RPCs as structures, the statistics, and the Prometheus page.

use serde_json::json;

use super::broker::{connections, shared, start, subscriptions};
use super::bus::{Bus, service};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{http, port, process, turn};

#[test]
fn the_status_is_a_structure() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(shared().number("amqp_consumer_workers", 3).routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("o.status", "topic", "o.status", "#"); }"##,
    ).request(r#"kazoo_publish("amq.topic", "nobody", "{}"); $var(answer) = "rc=" + $rc;"#));
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    let status = kamailio.rpc("sipbus.status", &[]);
    assert_eq!(status["engine"]["state"], "running", "{status}");
    let pid = kamailio.engine().unwrap();
    assert!(
        process::command_line(pid).contains("sipbus-engine"),
        "{status}"
    );
    let connector = kamailio.connector();
    assert_eq!(connector["state"], "connected", "{status}");
    assert!(
        !connector["lanes"].as_array().unwrap().is_empty(),
        "{status}"
    );
    assert_eq!(
        connector["inboxes"].as_array().unwrap().len(),
        3,
        "{status}"
    );
    kamailio.stop();
}

#[test]
fn connections_and_subscriptions_are_shown() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let dead = port::free();
    let kamailio = shared()
        .text_param("amqp_connection", &format!("zone=away;amqp://u:s3cret@127.0.0.1:{dead}/v"))
        .routes(
            r##"event_route[kazoo:mod-init] {
                   kazoo_subscribe("o.shown", "topic", "o.shown.q", "#");
                   kazoo_subscribe("{'exchange':'o.shown2','type':'fanout','queue':'o.shown2.q','federate':1}");
               }"##,
        )
        .start();
    crate::wait::until("the first is connected", || {
        subscriptions(&kamailio)
            .iter()
            .filter(|each| each["state"] == "open")
            .count()
            == 2
    });
    let shown = connections(&kamailio);
    let of = |server: u64| {
        let all = shown.iter().filter(move |each| each["server"] == server);
        all.collect::<Vec<_>>()
    };
    // One for each purpose; in another zone nobody answers.
    assert_eq!((of(1).len(), of(2).len()), (3, 2), "{shown:?}");
    assert!(
        of(1)
            .iter()
            .all(|each| each["zone"] == "local" && each["state"] == "open"),
        "{shown:?}"
    );
    assert!(
        of(2)
            .iter()
            .all(|each| each["zone"] == "away" && each["state"] == "closed"),
        "{shown:?}"
    );
    assert!(!json!(shown).to_string().contains("s3cret"), "{shown:?}");
    let shown = subscriptions(&kamailio);
    // The second is made on both servers.
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(
        shown.iter().any(|each| each["exchange"] == "o.shown"),
        "{shown:?}"
    );
    kamailio.stop();
}

#[test]
fn the_counters_tell_what_happened() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let bus = Bus::to(port);
    let _service = service(port, "o.ask", "#", |_| vec![json!({"Answer": 1})]);
    let kamailio = start(
        shared()
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 300_000)
            .routes(
                r#"event_route[kazoo:mod-init] {
                       kazoo_subscribe("{'exchange':'o.in','type':'topic','queue':'o.in','routing':'#',
                           'no_ack':0,'wait_for_consumer_ack':1}");
                   }
                   event_route[kazoo:consumer-event-connection-open] { $var(n) = $shtinc(count=>open); }
                   event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"#,
            )
            .request(
                r#"switch ($rU) {
                       case "good": kazoo_publish("amq.topic", "nobody", "{}"); break;
                       case "bad": kazoo_publish("amq.topic", "nobody", "[]"); break;
                       case "ask": kazoo_query("o.ask", "k", "{}"); break;
                       case "silent": kazoo_query("amq.topic", "nobody", "{}"); break;
                   }
                   $var(answer) = "" + $rc;"#,
            ),
    );
    kamailio.wait_counted("open", 1);
    let mut sip = kamailio.sip();
    for (user, times) in [("good", 30), ("bad", 7), ("ask", 5), ("silent", 2)] {
        for _ in 0..times {
            sip.message(user, b"");
        }
    }
    for _ in 0..9 {
        bus.publish("o.in", "k", "{}");
    }
    kamailio.wait_counted("events", 9);
    kamailio.wait_counter("confirmed", 37);
    kamailio.wait_counter("timeouts", 2);
    kamailio.wait_counter("acked", 9);
    let stats = kamailio.rpc("kazoo.stats", &[]);
    let expected = [
        ("published", 44),
        ("accepted", 37),
        ("refused", 7),
        ("refused_invalid", 7),
        ("confirmed", 37),
        ("queries", 7),
        ("answered", 5),
        ("timeouts", 2),
        ("late_replies", 0),
        ("acked", 9),
        ("redelivered", 0),
        ("rejected", 0),
        ("reconnects", 0),
    ];
    for (name, value) in expected {
        assert_eq!(stats[name], value, "{name} in {stats}");
    }
    // The same numbers, as Kamailio's own statistics.
    let fetched = kamailio.rpc("stats.fetch", &[json!("kazoo:")]);
    for (name, value) in expected {
        let shown = &fetched[format!("kazoo.{name}")];
        assert_eq!(shown, &json!(value.to_string()), "{name} in {fetched}");
    }
    kamailio.stop();
}

#[test]
fn the_prometheus_page_shows_the_counters() {
    needs!("kamailio", "kazoo", "rabbitmq", "xhttp.so", "xhttp_prom.so");
    let _turn = turn::light();
    let http = port::free();
    let kamailio = start(
        shared()
            .before(&format!(
                "disable_tcp=no\nlisten=tcp:127.0.0.1:{http}\ntcp_accept_no_cl=yes"
            ))
            .after(
                "loadmodule \"xhttp.so\"\nloadmodule \"xhttp_prom.so\"\n\
                 modparam(\"xhttp_prom\", \"xhttp_prom_stats\", \"kazoo:\")",
            )
            .routes("event_route[xhttp:request] { prom_dispatch(); }")
            .request(r#"kazoo_publish("amq.topic", "k", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    assert_eq!(kamailio.sip().message("good", b""), "rc=1");
    kamailio.wait_counter("confirmed", 1);
    let page = http::get(http, "/metrics");
    for line in ["kamailio_kazoo_published 1", "kamailio_kazoo_confirmed 1"] {
        assert!(page.contains(line), "{line} in:\n{page}");
    }
    kamailio.stop();
}

#[test]
fn the_processes_have_names() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(shared().number("amqp_consumer_workers", 2));
    let list = kamailio.rpc("core.psx", &[]);
    let all = list.as_array().unwrap().iter();
    let names: Vec<&str> = all.filter_map(|each| each["DSC"].as_str()).collect();
    assert!(names.contains(&"sipbus supervisor"), "{names:?}");
    let workers = names.iter().filter(|name| name.contains("kazoo worker"));
    assert_eq!(workers.count(), 2, "{names:?}");
    kamailio.stop();
}

#[test]
fn messages_leave_shared_memory_as_it_was() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let bus = Bus::to(port);
    let _service = service(port, "o.mem.ask", "#", |_| vec![json!({"Answer": 1})]);
    let kamailio = start(
        shared()
            .routes(
                r##"event_route[kazoo:mod-init] { kazoo_subscribe("o.mem", "topic", "o.mem", "#"); }
                   event_route[kazoo:consumer-event] { $var(x) = $(kzE{kz.json,a}); $var(n) = $shtinc(count=>events); }"##,
            )
            .request(
                r#"$var(i) = 0;
                   while ($var(i) < 500) { kazoo_publish("amq.topic", "k", "{'a':'$rb'}"); $var(i) = $var(i) + 1; }
                   kazoo_query("o.mem.ask", "k", "{}");"#,
            ),
    );
    let mut sip = kamailio.sip();
    let mut load = |published: u64, consumed: u64| {
        for _ in 0..10 {
            sip.message("x", &[b'x'; 256]);
        }
        for _ in 0..1000 {
            bus.publish("o.mem", "k", r#"{"a":"some text"}"#);
        }
        kamailio.wait_counter("confirmed", published);
        kamailio.wait_counted("events", consumed);
        kamailio.rpc("core.shmmem", &[])["real_used"].clone()
    };
    let before = load(5010, 1001);
    let after = load(10_020, 2001);
    assert_eq!(before, after);
    assert_eq!(kamailio.counter("timeouts"), 0);
    kamailio.stop();
}
