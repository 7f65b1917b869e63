//! The manual's examples of the event interface: that with pike works as written, and Kamailio
//! accepts every other one.

use std::path::Path;

use super::on;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::server::nats::Nats;
use crate::{turn, wait};

/// The blocks of the manual that are marked as configuration.
fn examples() -> Vec<String> {
    let path = "kamailio-glue/event_kafka/README.md";
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(manual).unwrap();
    let blocks = text.split("```cfg\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn pike_blocks_and_kafka_is_told() {
    needs!("kamailio", "event_kafka", "kafka", "nats", "pike.so");
    let _turn = turn::light();
    let (kafka, nats) = (Kafka::start(), Nats::start());
    let topic = kafka.topic();
    let shown = |block: &String| block.contains("pike_check_req");
    let block = examples().into_iter().find(shown).unwrap();
    let own = block
        .replace("127.0.0.1:9092", kafka.bootstrap())
        .replace("/topic1", &format!("/{topic}"));
    let (lines, request) = own.split_once("request_route {\n").unwrap();
    let lines: String = lines
        .lines()
        .filter(|line| !line.contains("event_kafka.so"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (body, _) = request.split_once("\n}").unwrap();
    let kamailio = on(&nats).after(&lines).request(body).start();
    let mut sip = kamailio.sip();
    // Pike lets some requests of each two seconds through, and blocks those that come after them.
    let mut told = kafka.records(&topic);
    let record = wait::until_some("pike blocks", || {
        for _ in 0..60 {
            sip.send("MESSAGE", "x", b"");
        }
        told.records().first().cloned()
    });
    assert_eq!(
        record.text(),
        r#"{"jsonrpc":"2.0","method":"E_PIKE_BLOCKED","params":{"ip":"127.0.0.1"}}"#
    );
    assert!(record.key_text().unwrap().ends_with(&sip.address()));
    kamailio.stop();
}

#[test]
fn every_other_example_is_accepted() {
    needs!("kamailio", "event_kafka", "nats", "evapi");
    let _turn = turn::light();
    let mut checked = 0;
    for block in examples() {
        let config =
            Config::of("event_kafka").after("loadmodule \"nats.so\"\nloadmodule \"evapi.so\"");
        if block.contains("pike") && block.contains("loadmodule") {
            continue;
        }
        let config = if block.starts_with("modparam(") {
            config.after(&block)
        } else if block.starts_with("event_route[") {
            config.routes(&block)
        } else {
            config.request(&block)
        };
        let (status, log) = config.check();
        assert!(status.success(), "{block}\n{log}");
        checked += 1;
    }
    assert!(checked > 3, "only {checked} examples were found");
}
