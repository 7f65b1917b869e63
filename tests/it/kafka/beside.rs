//! `kafka.so` and `event_kafka.so` in one Kamailio: one engine, one answer of `kafka.stats`.

use crate::event_kafka;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

#[test]
fn both_modules_work_side_by_side() {
    needs!("kamailio", "kafka_module", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let (one, two) = (kafka.topic(), kafka.topic());
    let kamailio = event_kafka::at(&kafka, &one)
        .after(&format!(
            "loadmodule \"kafka.so\"\nmodparam(\"kafka\", \"brokers\", \"{}\")\n\
             modparam(\"kafka\", \"topic\", \"name={two}\")",
            kafka.bootstrap()
        ))
        .request(&format!(
            r#"kafka_publish("k1", "one"); kafka_send("{two}", "two"); $var(answer) = "rc=" + $rc;"#
        ))
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    assert_eq!(kafka.records(&one).only().text(), "one");
    assert_eq!(kafka.records(&two).only().text(), "two");
    wait::until("both are counted", || {
        kamailio.rpc("kafka.stats", &[])["Total messages"] == 2
    });
    let stats = kamailio.rpc("kafka.stats", &[]);
    let modules: Vec<_> = stats["brokers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["module"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(modules, ["event_kafka", "kafka"]);
    kamailio.stop();
}
