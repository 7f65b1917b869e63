//! A nats-server, for the rules that all connectors share.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::conformance::peer::{self, Reach};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::wait;

const SUBJECT: &str = "conformance";

/// A nats-server, and what arrives on one of its subjects.
pub(crate) struct Peer {
    server: Nats,
    gate: Option<Gate>,
    /// None where the server keeps the messages, so that nothing depends on a subscriber that must
    /// connect again after a restart, as Kamailio must.
    reader: Option<Subscriber>,
}

impl Peer {
    /// How many messages the server keeps.
    fn kept(&self) -> usize {
        let client = Subscriber::publisher(&self.server.url());
        let info = client.request("$JS.API.STREAM.INFO.KEPT", "");
        let info: Value = serde_json::from_str(&info).unwrap();
        usize::try_from(info["state"]["messages"].as_u64().unwrap()).unwrap()
    }

    /// Has the server send all it keeps.
    fn replay(&self) -> Subscriber {
        static REPLAYS: AtomicU32 = AtomicU32::new(0);
        let subject = format!("replay.{}", REPLAYS.fetch_add(1, Ordering::Relaxed));
        let kept = self.kept();
        let reader = Subscriber::new(&self.server.url(), &subject);
        let consumer = json!({"stream_name": "KEPT", "config":
            {"deliver_subject": subject, "deliver_policy": "all", "ack_policy": "none"}});
        let answer = reader.request("$JS.API.CONSUMER.CREATE.KEPT", &consumer.to_string());
        assert!(!answer.contains("\"error\""), "{answer}");
        reader.wait_for(kept);
        reader
    }
}

/// Has the server keep what it is sent.
fn keep(server: &Nats) {
    let client = Subscriber::publisher(&server.url());
    let stream = json!({"name": "KEPT", "subjects": [SUBJECT], "storage": "file"});
    let answer = client.request("$JS.API.STREAM.CREATE.KEPT", &stream.to_string());
    assert!(!answer.contains("\"error\""), "{answer}");
}

impl peer::Peer for Peer {
    const NEEDS: &'static [&'static str] = &["nats"];
    const BURST: u32 = 100_000;
    const CONNECTIONS: usize = 1;

    fn start(reach: Reach) -> Self {
        let mortal = reach == Reach::Mortal;
        let server = Nats::with(if mortal {
            "jetstream { store_dir: \"kept\" }"
        } else {
            ""
        });
        let reader = if mortal {
            keep(&server);
            None
        } else {
            Some(Subscriber::new(&server.url(), SUBJECT))
        };
        let gate = (reach == Reach::Gated).then(|| Gate::before(server.port()));
        Self {
            server,
            gate,
            reader,
        }
    }

    fn config(&self) -> Config {
        let url = self.gate.as_ref().map(Gate::url);
        Config::at(&url.unwrap_or_else(|| self.server.url()))
    }

    fn publish(&self, text: &str) -> String {
        format!(r#"nats_publish("{SUBJECT}", "{text}")"#)
    }

    fn joined(&mut self, kamailio: &Kamailio) {
        wait::until("the connector is connected", || {
            kamailio.connector()["state"] == "connected"
        });
    }

    fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("a gate")
    }

    fn freeze(&self) {
        self.server.freeze();
    }

    fn thaw(&self) {
        self.server.thaw();
    }

    /// Killed, since a server that ends by itself still answers for messages that it no longer
    /// keeps: they would be missing, and no client could know.
    fn kill(&mut self) {
        self.server.kill();
    }

    fn start_again(&mut self) {
        self.server.start_again();
    }

    fn count(&mut self) -> usize {
        match &self.reader {
            Some(reader) => reader.count(),
            None => self.kept(),
        }
    }

    fn arrived(&mut self) -> Vec<Vec<u8>> {
        let messages = match &self.reader {
            Some(reader) => reader.messages(),
            None => self.replay().messages(),
        };
        let payloads = messages.into_iter().map(|message| message.payload.to_vec());
        payloads.collect()
    }
}
