//! The manual's examples: every one is taken out of it and run.

use serde_json::json;

use super::broker::{connected, shared};
use super::bus::{Bus, service};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

/// The fenced blocks of the manual, without those that are commands of a shell.
fn examples() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kamailio-glue/kazoo/README.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let blocks = manual.split("```\n").skip(1).step_by(2);
    blocks
        .filter(|block| !block.starts_with("kamcmd "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_overview_works_as_written() {
    needs!("kamailio", "kazoo", "rabbitmq", "tm.so");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let _service = service(port, "callmgr", "#", |_| {
        vec![json!({"Switch-URI": "sip:127.0.0.1:9"})]
    });
    let bus = Bus::to(port);
    let overview = examples().remove(0);
    let (_, rest) = overview.split_once("request_route {").unwrap();
    let (request, routes) = rest.split_once("\n}").unwrap();
    // The harness has a request route of its own; where the answer sends the request, nobody is.
    let routes = routes.replace("t_relay();", "t_reply(\"200\", \"$du\");");
    let config = shared().suspending().request(request).routes(&routes);
    let kamailio = config.start();
    connected(&kamailio);
    assert_eq!(kamailio.sip().message("bob", b""), "sip:127.0.0.1:9");
    let event = json!({"Event-Category": "registration", "Event-Name": "flush", "Username": "al"});
    bus.publish("registrar", "registration.flush", event.to_string());
    kamailio.wait_counter("consumed", 1);
    assert!(kamailio.stop().contains("registration.flush: forget al"));
}

#[test]
fn every_other_example_runs() {
    needs!("kamailio", "kazoo", "rabbitmq", "tm.so");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let bus = Bus::to(port);
    let seen = bus.listen("registrar", "topic", "registration.success.#");
    let _service = service(port, "callevt", "#", |_| {
        vec![json!({"Channels": [{"switch_url": "sip:1.2.3.4"}]})]
    });
    let (mut request, mut routes, mut subscribe) = (String::new(), String::new(), String::new());
    for block in examples().into_iter().skip(1) {
        if let Some(body) = block.strip_prefix("event_route[kazoo:mod-init] {\n") {
            subscribe.push_str(body.strip_suffix("}\n").unwrap());
        } else if block.starts_with("event_route[kazoo:consumer-event-presence") {
            // Needs the presence module; tests/it/kazoo/presence.rs has it.
        } else if block.contains("_route[") {
            routes.push_str(&block);
        } else if block.contains("kazoo_async_query(") {
            // It ends the script, so the overview's test has it.
        } else if !block.starts_with("modparam(") {
            request.push_str(&block);
        }
    }
    assert!(request.contains("kazoo_query(") && routes.contains("onreply_route["));
    request.push_str("$var(answer) = $du;\n");
    routes.push_str(&format!("event_route[kazoo:mod-init] {{\n{subscribe}}}\n"));
    let config = shared().suspending().request(&request).routes(&routes);
    let kamailio = config.start();
    connected(&kamailio);
    assert_eq!(kamailio.sip().message("bob", b""), "sip:1.2.3.4");
    assert!(seen.only().text().contains("reg_success"));
    let event =
        json!({"Event-Category": "directory", "Event-Name": "reg_success", "Username": "al"});
    bus.publish("dialoginfo", "BLF-MY_HOSTNAME", event.to_string());
    kamailio.wait_counter("consumed", 1);
    let log = kamailio.stop();
    assert!(log.contains("al has registered"), "{log}");
    assert!(log.contains("connected to 127.0.0.1 in local"), "{log}");
}
