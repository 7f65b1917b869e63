//! The rules of `kafka.so`, one file per subject.

mod bad_setting;
mod beside;
mod functions;
mod kemi;
mod manual;
mod operations;
mod peer;

use crate::kamailio::Config;
use crate::server::kafka::Kafka;

crate::conformance::conformance!(crate::kafka::peer::Peer);

/// With that topic declared.
fn at(kafka: &Kafka, topic: &str) -> Config {
    Config::of("kafka")
        .text_param("brokers", kafka.bootstrap())
        .text_param("configuration", "linger.ms=1;message.timeout.ms=20000")
        .text_param("topic", &format!("name={topic}"))
}
