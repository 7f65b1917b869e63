//! A broker that speaks Kafka's protocol, for the rules that all connectors share.

use std::marker::PhantomData;

use super::at;
use crate::conformance::peer::{self, Reach};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::server::kafka::Kafka;
use crate::topic::Topic;
use crate::wait;

/// What publishes to Kafka: one of two modules.
pub(crate) trait Shim {
    /// What must be installed.
    const NEEDS: &'static [&'static str];

    /// Whether it publishes an empty message.
    const EMPTY: bool;

    /// A configuration that reaches a topic.
    fn config(server: &Kafka, topic: &str) -> Config;

    /// The call that publishes a text. With a key, so that what one process publishes lies in one
    /// partition, in order.
    fn publish(topic: &str, text: &str) -> String;
}

/// A broker, and what lies in one of its topics.
pub(crate) struct Broker<S> {
    // Goes first: a broker that is told to end waits for its clients.
    reader: Option<Topic>,
    server: Kafka,
    topic: String,
    shim: PhantomData<S>,
}

/// `event_kafka.so`'s.
pub(crate) type Peer = Broker<EventKafka>;

/// See [`Shim`].
pub(crate) struct EventKafka;

impl Shim for EventKafka {
    const NEEDS: &'static [&'static str] = &["event_kafka", "tansu"];
    const EMPTY: bool = true;

    fn config(server: &Kafka, topic: &str) -> Config {
        at(server, topic).routes("route[REPORT] { return; }")
    }

    /// With a delivery report, too, which must not be in the way of anything.
    fn publish(_topic: &str, text: &str) -> String {
        format!(r#"kafka_publish("k1", "{text}", "$pp", "REPORT")"#)
    }
}

impl<S> Broker<S> {
    fn reader(&mut self) -> &mut Topic {
        let (server, topic) = (&self.server, &self.topic);
        self.reader.get_or_insert_with(|| server.records(topic))
    }
}

impl<S: Shim> peer::Peer for Broker<S> {
    const NEEDS: &'static [&'static str] = S::NEEDS;
    const BURST: u32 = 20_000;
    const CONNECTIONS: usize = 2;
    const IDEMPOTENT: bool = true;
    const EMPTY: bool = S::EMPTY;

    fn start(reach: Reach) -> Self {
        let server = match reach {
            Reach::Steady => Kafka::own(),
            Reach::Mortal => Kafka::durable(),
            Reach::Gated => Kafka::gated(),
        };
        if reach == Reach::Gated {
            server.gate().open();
        }
        let topic = server.topic();
        if reach == Reach::Gated {
            server.gate().shut();
        }
        Self {
            server,
            topic,
            reader: None,
            shim: PhantomData,
        }
    }

    fn config(&self) -> Config {
        S::config(&self.server, &self.topic)
    }

    fn publish(&self, text: &str) -> String {
        S::publish(&self.topic, text)
    }

    fn joined(&mut self, kamailio: &Kamailio) {
        wait::until("the connector is connected", || {
            kamailio.connector()["state"] == "connected"
        });
    }

    fn gate(&self) -> &Gate {
        self.server.gate()
    }

    fn freeze(&self) {
        self.server.freeze();
    }

    fn thaw(&self) {
        self.server.thaw();
    }

    fn kill(&mut self) {
        self.server.kill();
    }

    fn start_again(&mut self) {
        self.server.start_now();
    }

    fn count(&mut self) -> usize {
        self.reader().records().len()
    }

    fn arrived(&mut self) -> Vec<Vec<u8>> {
        let records = self.reader().records();
        let payloads = records.iter().map(|record| record.payload.clone());
        payloads.collect()
    }
}
