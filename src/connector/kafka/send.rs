//! Frames on their way into the library: which producer, which topic, and what it says at once.

use super::ledger::{Ledger, Outcome, Ticket};
use super::publish::Desk;
use super::session::{Client, config, explain};
use crate::frame::kafka::{Place, Publish, To};
use crate::kafka::counter::slot;
use crate::kafka::property::{IN_SOCKETS, redacted};
use crate::kafka::{header, socket};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is noted in the ledger.
    Done,
    /// It is noted, but the library has no room for it now.
    Full,
    /// It can never be sent.
    Never,
}

/// The library's producers.
pub(super) struct Session<'a> {
    desk: &'a Desk,
    pub(super) ledger: Arc<Ledger>,
    pub(super) clients: Vec<Client>,
    /// Sockets of events by their text: topic, number of the client, line of the table; none for those
    /// that cannot be used.
    sockets: BTreeMap<Vec<u8>, Option<(String, usize, u16)>>,
}

impl<'a> Session<'a> {
    pub(super) fn open(desk: &'a Desk, ledger: Arc<Ledger>) -> Result<Self, String> {
        let bytes = desk.settings.common.message_bytes_max;
        let mut clients = Vec::new();
        for (connection, producer) in desk.settings.producers.iter().enumerate() {
            let config = config(&producer.brokers, &producer.properties, bytes);
            clients.push(Client::open(&config, Arc::clone(&ledger), connection)?);
        }
        Ok(Self {
            desk,
            ledger,
            clients,
            sockets: BTreeMap::new(),
        })
    }

    /// Hands a frame to the library; `again` if it is noted in the ledger already.
    pub(super) fn send(&mut self, frame: &[u8], page: u16, again: bool) -> Sent {
        let Some(publish) = Publish::parse(frame) else {
            log::error!(
                "{}: a frame that cannot be read is left out",
                self.desk.presence.module()
            );
            return Sent::Never;
        };
        if let To::Socket(text) = publish.to
            && !self.sockets.contains_key(text)
        {
            self.add_socket(text);
        }
        let Some((topic, client, row)) = self.place(publish.to) else {
            return Sent::Never;
        };
        let ticket = Ticket {
            page,
            row,
            report: publish.report,
        };
        if !again {
            self.ledger.note(ticket);
        }
        let record = BaseRecord {
            topic,
            partition: None,
            payload: Some(publish.payload),
            key: publish.key,
            timestamp: None,
            headers: headers(publish.headers),
            delivery_opaque: ticket.encode(),
        };
        match client.producer.send(record) {
            Ok(()) => Sent::Done,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Sent::Full,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), _)) => {
                self.ledger.fail();
                Sent::Done
            }
            Err((error, _)) => {
                self.refuse(ticket, &publish, &error);
                Sent::Done
            }
        }
    }

    fn place(&self, to: To<'_>) -> Option<(&str, &Client, u16)> {
        match to {
            To::Target(index) => {
                let target = self.desk.settings.targets.get(usize::from(index))?;
                let client = self.clients.get(target.producer)?;
                Some((&target.topic, client, index))
            }
            To::Socket(text) => {
                let (topic, client, row) = self.sockets.get(text)?.as_ref()?;
                Some((topic, self.clients.get(*client)?, *row))
            }
        }
    }

    /// The library did not even put the message into its queue.
    fn refuse(&self, ticket: Ticket, publish: &Publish<'_>, error: &KafkaError) {
        let error = explain(error);
        self.ledger.count(ticket.row, Some(&error));
        if ticket.report.is_none() {
            self.ledger.settle(ticket.page, true);
            return;
        }
        self.ledger.report(Outcome {
            ledger: Arc::clone(&self.ledger),
            ticket,
            place: Place {
                partition: -1,
                offset: -1,
            },
            key: publish.key.map(<[u8]>::to_vec),
            payload: publish.payload.to_vec(),
            error: Some(error),
        });
    }

    /// Makes the producer of a socket that events go to.
    fn add_socket(&mut self, text: &[u8]) {
        let made = self.open_socket(text).map_err(|why| {
            let presence = &self.desk.presence;
            presence.board().count(slot::SOCKETS_REFUSED, 1);
            presence.complained(&format!(
                "events for {} are left out: {why}",
                redacted(&String::from_utf8_lossy(text), IN_SOCKETS)
            ));
        });
        self.sockets.insert(text.to_vec(), made.ok());
    }

    fn open_socket(&mut self, text: &[u8]) -> Result<(String, usize, u16), String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let socket = socket::parse(text).map_err(|mistake| mistake.about(text, IN_SOCKETS))?;
        let settings = &self.desk.settings;
        let used = self.sockets.values().flatten().count();
        if used >= settings.sockets_max {
            let most = settings.sockets_max;
            return Err(format!("there are {most} already (event_sockets_max)"));
        }
        let row = settings.targets.len() + used;
        let bytes = settings.common.message_bytes_max;
        let config = config(&socket.brokers, &socket.properties, bytes);
        let connection = self
            .desk
            .presence
            .add(&socket.brokers, &socket.properties, vec![row]);
        let client = Client::open(&config, Arc::clone(&self.ledger), connection)?;
        self.desk.presence.enter(row, &socket.to_string());
        self.clients.push(client);
        let row = u16::try_from(row).map_err(|error| error.to_string())?;
        Ok((socket.topic, self.clients.len() - 1, row))
    }
}

fn headers(block: &[u8]) -> Option<OwnedHeaders> {
    if block.is_empty() {
        return None;
    }
    let mut headers = OwnedHeaders::new();
    for (name, value) in header::iter(block) {
        headers = headers.insert(Header {
            key: &String::from_utf8_lossy(name),
            value,
        });
    }
    Some(headers)
}
