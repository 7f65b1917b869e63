//! A RabbitMQ, for the rules that all connectors share.

use std::sync::atomic::{AtomicU32, Ordering};

use super::broker;
use super::bus::{Bus, Listener};
use crate::conformance::peer::{self, Reach};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::server::rabbitmq::{self, Rabbit};

/// A RabbitMQ, and what arrives in one of its queues.
pub(crate) struct Peer {
    /// None for the one that tests share.
    own: Option<Rabbit>,
    gate: Option<Gate>,
    /// The exchange.
    name: String,
    /// Begins to read when it is first asked, where the server keeps the messages.
    reader: Option<Listener>,
}

impl Peer {
    fn server(&self) -> &Rabbit {
        match &self.own {
            Some(own) => own,
            None => Rabbit::shared(),
        }
    }

    fn own(&mut self) -> &mut Rabbit {
        self.own.as_mut().expect("a server of the test's own")
    }

    fn reader(&mut self) -> &Listener {
        let (port, queue) = (self.server().port(), self.queue());
        self.reader
            .get_or_insert_with(|| Bus::to(port).consume(&queue))
    }

    fn queue(&self) -> String {
        format!("{}.q", self.name)
    }
}

impl peer::Peer for Peer {
    const NEEDS: &'static [&'static str] = &["kazoo", "rabbitmq"];
    const BURST: u32 = 20_000;
    const CONNECTIONS: usize = 2;
    /// What is published is JSON.
    const BINARY: bool = false;
    /// The other bytes are the properties that every message has.
    const LARGEST: usize = 2048;

    fn start(reach: Reach) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let mut peer = Self {
            own: (reach == Reach::Mortal).then(Rabbit::start),
            gate: None,
            name: format!("conformance.{}", SERIAL.fetch_add(1, Ordering::Relaxed)),
            reader: None,
        };
        let (name, queue, port) = (&peer.name, peer.queue(), peer.server().port());
        let bus = Bus::to(port);
        if reach == Reach::Mortal {
            bus.keep(name, &queue);
        } else {
            bus.exchange(name, "topic");
            bus.queue(&queue);
            bus.bind(&queue, name, "#");
            peer.reader = Some(bus.consume(&queue));
        }
        peer.gate = (reach == Reach::Gated).then(|| Gate::before(port));
        peer
    }

    fn config(&self) -> Config {
        let gate = self.gate.as_ref().map(Gate::port);
        let port = gate.unwrap_or_else(|| self.server().port());
        broker::at(&rabbitmq::url(port))
    }

    fn publish(&self, text: &str) -> String {
        format!(r#"kazoo_publish("{}", "k", "{{'N':'{text}'}}")"#, self.name)
    }

    fn joined(&mut self, kamailio: &Kamailio) {
        broker::connected(kamailio);
    }

    fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("a gate")
    }

    fn freeze(&self) {
        self.server().freeze();
    }

    fn thaw(&self) {
        self.server().thaw();
    }

    fn kill(&mut self) {
        self.own().kill();
    }

    fn start_again(&mut self) {
        self.own().start_again();
    }

    fn count(&mut self) -> usize {
        self.reader().count()
    }

    fn arrived(&mut self) -> Vec<Vec<u8>> {
        let messages = self.reader().messages();
        let texts = messages.iter().map(|message| {
            let json = message.json();
            let text = json["N"].as_str().expect("a text");
            text.as_bytes().to_vec()
        });
        texts.collect()
    }
}
