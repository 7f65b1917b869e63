//! The rules of `event_kafka.so`, one file per subject.

mod bad_argument;
mod bad_setting;
mod consume;
mod consume_outage;
mod functions;
mod kemi;
mod lifecycle;
mod manual;
mod operations;
mod outage;
pub(crate) mod peer;
mod report;

use crate::kamailio::Config;
use crate::port;
use crate::server::kafka::Kafka;

crate::conformance::conformance!(crate::event_kafka::peer::Peer);

/// With one broker ID, `k1`, for that topic.
pub(crate) fn at(kafka: &Kafka, topic: &str) -> Config {
    let socket = format!("[k1]{}/{topic}?g.linger.ms=1", kafka.bootstrap());
    Config::of("event_kafka").text_param("broker_id", &socket)
}

/// With a broker ID, `k1`, whose brokers are not there.
pub(crate) fn away(properties: &str) -> Config {
    let socket = format!("[k1]127.0.0.1:{}/topic?{properties}", port::free());
    Config::of("event_kafka").text_param("broker_id", &socket)
}
