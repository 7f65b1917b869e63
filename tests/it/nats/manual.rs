//! The manual's examples: every one is taken out of it and run.

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

/// The fenced blocks of the manual, without those that are commands of a shell.
fn examples() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kamailio-glue/nats/README.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let blocks = manual.split("```\n").skip(1).step_by(2);
    blocks
        .filter(|block| !block.starts_with("kamcmd "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_overview_works_as_written() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let events = Subscriber::new(&nats.url(), "calls.events.*");
    let overview = examples().remove(0);
    let (request, rest) = overview
        .split_once("request_route {")
        .unwrap()
        .1
        .split_once("\n}")
        .unwrap();
    // The harness answers the request itself.
    let request = request.replace("sl_send_reply(\"200\", \"OK\");", "");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "calls.control.>:proxies")
        .request(&request)
        .routes(rest)
        .start()
        .connected();
    kamailio.sip().message("anyone", b"");
    assert!(text(&events.only()).starts_with("{\"callid\": \""));
    events.publish("calls.control.stop", "now");
    kamailio.wait_counter("consumed", 1);
    assert!(kamailio.stop().contains("calls.control.stop: now"));
}

#[test]
fn every_other_example_runs() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "mysubject");
    let (mut request, mut routes) = (String::new(), String::new());
    let mut config = Config::at(&nats.url());
    for block in examples().into_iter().skip(1) {
        if block.contains("event_route[") {
            routes.push_str(&block);
        } else if block.starts_with("modparam(") {
            for line in block.lines() {
                let quoted: Vec<&str> = line.split('"').collect();
                // Servers, files and scripts of the examples are not here.
                if quoted[3] == "subject_queue_group" {
                    config = config.nats(quoted[3], quoted[5]);
                }
            }
        } else {
            request.push_str(&block);
        }
    }
    let kamailio = config.request(&request).routes(&routes).start().connected();
    kamailio.sip().message("anyone", b"a body");
    assert!(text(&seen.only()).contains('='));
    kamailio.wait_counter("accepted", 2);
    let log = kamailio.stop();
    assert!(log.contains("NATS is up"), "{log}");
}
