//! Start and stop: in every way, beside the other modules, and without a server.

use super::broker::{alone, at, shared, start};
use super::bus::Bus;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{port, turn};

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
