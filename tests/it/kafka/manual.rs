//! The manual's examples: every one is taken out of it and run.

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{manual, turn};

#[test]
fn every_example_runs() {
    needs!("kamailio", "kafka_module", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // The topics of the examples are not on this broker.
    let here = |text: &str| {
        text.replace("\"calls\"", &format!("\"{topic}\""))
            .replace("name=calls", &format!("name={topic}"))
    };
    let blocks = manual::examples("kafka");
    let (mut config, mut request) = (
        Config::of("kafka").text_param("brokers", kafka.bootstrap()),
        String::new(),
    );
    for block in &blocks {
        for (name, value) in manual::params(block) {
            if name != "brokers" {
                config = config.text_param(&name, &here(&value));
            }
        }
        request.push_str(&here(&manual::statements(block)));
    }
    let kamailio = config.request(&request).start();
    kamailio.sip().message("anyone", b"a body");
    assert_eq!(kafka.records(&topic).wait_for(3).len(), 3);
    kamailio.stop();
}
