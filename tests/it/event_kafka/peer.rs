//! A broker that speaks Kafka's protocol, for the rules that all connectors share.

use super::at;
use crate::conformance::peer::{self, Reach};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::server::kafka::Kafka;
use crate::topic::Topic;
use crate::wait;

/// A broker, and what lies in one of its topics.
///
/// It keeps its records in memory, so a kill would take away what it has confirmed: it is cut off
/// instead. `tests/kafka` restarts whole clusters.
pub(crate) struct Peer {
    // Goes first: a broker that is told to end waits for its clients.
    reader: Option<Topic>,
    server: Kafka,
    topic: String,
}

impl Peer {
    fn reader(&mut self) -> &mut Topic {
        let (server, topic) = (&self.server, &self.topic);
        self.reader.get_or_insert_with(|| server.records(topic))
    }
}

impl peer::Peer for Peer {
    const NEEDS: &'static [&'static str] = &["event_kafka", "tansu"];
    const BURST: u32 = 20_000;
    const IDEMPOTENT: bool = true;

    fn start(reach: Reach) -> Self {
        let server = match reach {
            Reach::Steady => Kafka::own(),
            Reach::Mortal | Reach::Gated => Kafka::gated(),
        };
        if reach != Reach::Steady {
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
        }
    }

    fn config(&self) -> Config {
        at(&self.server, &self.topic).routes("route[REPORT] { return; }")
    }

    /// With a key, so that what one process publishes lies in one partition, in order; and with a
    /// delivery report, which must not be in the way of anything.
    fn publish(&self, text: &str) -> String {
        format!(r#"kafka_publish("k1", "{text}", "$pp", "REPORT")"#)
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
        self.gate().shut();
    }

    fn start_again(&mut self) {
        self.gate().open();
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
