//! Start and stop: nothing starts too early, nothing is left behind, nothing accepted is lost.

use rustix::process::Signal;

use super::broker::{alone, at, shared, start};
use super::bus::Bus;
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::tally::Tally;
use crate::{port, process, turn, wait};

#[test]
fn a_configuration_check_passes_without_a_server() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let away = format!("amqp://guest:guest@127.0.0.1:{}", port::free());
    let (status, log) = at(&away)
        .routes(
            r##"event_route[kazoo:mod-init] { kazoo_subscribe("x", "topic", "x", "#"); }
               event_route[kazoo:consumer-event] { return; }"##,
        )
        .check();
    assert!(status.success(), "{status}:\n{log}");
}

#[test]
fn a_module_that_fails_leaves_nothing_behind() {
    needs!("kamailio", "kazoo", "rabbitmq", "app_lua.so");
    let _turn = turn::light();
    let failing =
        "loadmodule \"app_lua.so\"\nmodparam(\"app_lua\", \"load\", \"/nonexistent.lua\")";
    for before in [true, false] {
        let config = if before {
            shared().before(failing)
        } else {
            shared().after(failing)
        };
        let (status, log) = config.refused();
        // A status and no signal: nothing crashed on the way out.
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{status}:\n{log}"
        );
    }
}

#[test]
fn mod_init_may_end_in_every_way() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    for (end, works) in [
        ("exit;", true),
        ("return;", true),
        ("", true),
        ("drop;", false),
    ] {
        let config = shared().routes(&format!(
            r##"event_route[kazoo:mod-init] {{ kazoo_subscribe("l.init", "topic", "l.init", "#"); {end} }}"##
        ));
        if works {
            start(config).stop();
        } else {
            let (status, _) = config.refused();
            assert!(status.code().is_some_and(|code| code != 0), "{status}");
        }
    }
}

#[test]
fn all_modules_run_beside_each_other() {
    needs!("kamailio", "kazoo", "rabbitmq", "nats", "evapi");
    let _turn = turn::light();
    let nats = crate::server::nats::Nats::start();
    let seen = Bus::to(Rabbit::shared().port()).listen("l.all", "topic", "#");
    let plain = crate::subscriber::Subscriber::new(&nats.url(), "l.all");
    let others = format!(
        "loadmodule \"nats.so\"\nmodparam(\"nats\", \"nats_url\", \"{}\")\n\
         loadmodule \"evapi.so\"\nmodparam(\"evapi\", \"bind_addr\", \"127.0.0.1:{}\")",
        nats.url(),
        port::free()
    );
    for before in [true, false] {
        let config = if before {
            shared().before(&others)
        } else {
            shared().after(&others)
        };
        let kamailio = start(config.routes(
            r##"event_route[kazoo:mod-init] { kazoo_subscribe("l.with", "topic", "l.with", "#"); }"##,
        ).request(
            r#"kazoo_publish("l.all", "$rU", "{}"); $var(answer) = "" + $rc;
               nats_publish("l.all", "$rU"); $var(answer) = $var(answer) + $rc;"#,
        ));
        assert_eq!(kamailio.sip().message("x", b""), "11");
        kamailio.stop();
    }
    seen.wait_for(2);
    plain.wait_for(2);
}

#[test]
fn twenty_restarts_in_a_row_lose_nothing() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = Bus::to(Rabbit::shared().port()).listen("l.restart", "topic", "#");
    for round in 1..=20 {
        let kamailio = shared()
            .routes(
                r##"event_route[kazoo:mod-init] { kazoo_subscribe("l.in", "topic", "l.in", "#"); }
                   event_route[kazoo:consumer-event] { return; }"##,
            )
            .request(r#"kazoo_publish("l.restart", "k", "{}"); $var(answer) = "rc=" + $rc;"#)
            .start();
        assert_eq!(kamailio.sip().message("x", b""), "rc=1");
        kamailio.stop();
        seen.wait_for(round);
    }
    seen.settle();
    assert_eq!(seen.count(), 20);
}

/// Publishes 20,000 messages, stops Kamailio at once, and sees all of them; how many came twice.
fn arrives_after(name: &str, stop: impl FnOnce(Kamailio)) -> usize {
    let bus = Bus::to(Rabbit::shared().port());
    let queue = format!("{name}.q");
    bus.exchange(name, "topic");
    bus.queue(&queue);
    bus.bind(&queue, name, "#");
    let tally = Tally::default();
    let count = tally.clone();
    let _channel = bus.each(&queue, move |message| {
        count.add(message.json()["N"].as_str().unwrap().as_bytes());
    });
    // Room for all of them: the stop is to find as many as possible not yet sent.
    let kamailio = start(
        shared()
            .number("queue_size", 64 * 1024 * 1024)
            .number("drain_timeout_ms", 30_000)
            .request(&format!(
                r#"$var(i) = 0; $var(accepted) = 0;
                   while ($var(i) < 20000) {{
                       if (kazoo_publish("{name}", "k", "{{'N':'$pp:$var(i)'}}")) {{
                           $var(accepted) = $var(accepted) + 1;
                       }}
                       $var(i) = $var(i) + 1;
                   }}
                   $var(answer) = "" + $var(accepted);"#
            )),
    );
    assert_eq!(kamailio.sip().message("x", b""), "20000");
    stop(kamailio);
    wait::until("all arrived", || tally.unique() == 20_000);
    assert_eq!(tally.out_of_order(), 0);
    tally.duplicates()
}

#[test]
fn what_was_accepted_before_the_stop_arrives() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::alone();
    let twice = arrives_after("l.stop", |kamailio| drop(kamailio.stop()));
    assert_eq!(twice, 0);
}

#[test]
fn an_engine_killed_right_before_the_stop_loses_nothing() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::alone();
    arrives_after("l.killed", |kamailio| {
        process::send(kamailio.engine().unwrap(), Signal::KILL);
        drop(kamailio.stop());
    });
}

#[test]
fn a_stop_with_the_server_away_ends_at_the_drain_deadline() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let away = format!("amqp://guest:guest@127.0.0.1:{}", port::free());
    let kamailio = at(&away)
        .number("drain_timeout_ms", 300)
        .request(r#"kazoo_publish("x", "x", "{}"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    let log = kamailio.stop();
    assert!(log.contains("1 "), "the stop says how much is lost");
}

#[test]
fn a_stop_with_the_server_stuck_ends_at_the_drain_deadline() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let kamailio = start(
        at(&rabbit.url())
            .number("drain_timeout_ms", 300)
            .request(r#"kazoo_publish("amq.topic", "x", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    rabbit.freeze();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    kamailio.stop();
    rabbit.thaw();
}

#[test]
fn a_kamailio_without_a_server_serves_sip() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = alone()
        .number("drain_timeout_ms", 100)
        .request(
            r#"kazoo_publish("x", "x", "{}"); $var(rc) = $rc;
               kazoo_query("x", "x", "{}"); $var(answer) = "" + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "-1");
    kamailio.stop();
}
