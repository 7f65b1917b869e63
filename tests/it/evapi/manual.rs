//! The manual's examples: the overview works as written, and Kamailio accepts every other one.

use super::client::Client;
use super::listener::on;
use crate::require::needs;
use crate::{port, turn};

/// The fenced blocks of the manual.
fn examples() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kamailio-glue/evapi/README.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let blocks = manual.split("```\n").skip(1).step_by(2);
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_overview_works_as_written() {
    needs!("kamailio", "evapi", "tmx.so", "jansson.so");
    let _turn = turn::light();
    let overview = examples().remove(0);
    let (request, routes) = overview
        .split_once("request_route {")
        .unwrap()
        .1
        .split_once("\n}")
        .unwrap();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .before("loadmodule \"jansson.so\"\nmodparam(\"tm\", \"fr_timer\", 1000)")
        .request(request)
        .routes(routes)
        .start();
    let mut sip = kamailio.sip();
    let refused = sip.ask("MESSAGE", "alice", b"");
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (503, "No routing program")
    );
    let mut client = Client::connect(&kamailio, port);
    let number = sip.send("MESSAGE", "alice", b"");
    let question: serde_json::Value = serde_json::from_slice(&client.frame()).unwrap();
    assert_eq!(question["callee"], "alice");
    client.send(question.to_string());
    // It is forwarded to where it is addressed, which is this Kamailio again: that asks once more.
    let again: serde_json::Value = serde_json::from_slice(&client.frame()).unwrap();
    assert_ne!(again["label"], question["label"]);
    drop(client);
    assert!(sip.answer(number).0 >= 400);
    kamailio.stop();
}

#[test]
fn every_other_example_is_accepted() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let mut checked = 0;
    for block in examples().into_iter().skip(1) {
        let config = on(port::free()).suspending();
        let config = if block.starts_with("modparam(") {
            config.after(&block)
        } else if block.starts_with("event_route[") {
            config.routes(&block)
        } else if block.starts_with("evapi_") || block.starts_with("if (") {
            config.request(&block)
        } else {
            // Lua, a command, or what is on the wire.
            continue;
        };
        let (status, log) = config.check();
        assert!(status.success(), "{block}\n{log}");
        checked += 1;
    }
    assert!(checked > 5, "only {checked} examples were found");
}
