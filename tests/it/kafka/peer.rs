//! `kafka.so` and its broker, for the rules that all connectors share.

use super::at;
use crate::event_kafka::peer::{Broker, Shim};
use crate::kamailio::Config;
use crate::server::kafka::Kafka;

pub(crate) type Peer = Broker<KafkaSo>;

/// See [`Shim`].
pub(crate) struct KafkaSo;

impl Shim for KafkaSo {
    const NEEDS: &'static [&'static str] = &["kafka_module", "tansu"];
    const EMPTY: bool = false;

    /// It starts without a broker, too, and gives nothing up meanwhile.
    fn config(server: &Kafka, topic: &str) -> Config {
        at(server, topic)
            .text_param("configuration", "linger.ms=1")
            .number("init_without_kafka", 1)
    }

    fn publish(topic: &str, text: &str) -> String {
        format!(r#"kafka_send_key("{topic}", "{text}", "$pp")"#)
    }
}
