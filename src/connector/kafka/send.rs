//! Frames on their way into the library: which producer, which topic, and what it says at once.

use super::ledger::{Ledger, Outcome, Ticket};
use super::producer::{Producer, config};
use super::publish::Desk;
use super::session::explain;
use super::socket::Seat;
use crate::frame::kafka::{Place, Publish, To};
use crate::kafka::counter::slot;
use crate::kafka::header;
use crate::kafka::property::{IN_SOCKETS, Property, redacted};
use crate::kafka::socket::Socket;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Sockets that cannot be used which are remembered.
const REFUSED_MAX: usize = 256;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is noted in the ledger.
    Done,
    /// The library has no room for it now.
    Full,
    /// It can never be sent.
    Never,
}

/// The library's producers, and what goes to which.
pub(super) struct Producers<'a> {
    desk: &'a Desk,
    pub(super) ledger: Arc<Ledger>,
    all: Vec<Producer>,
    /// Sockets of events by their text, with the number of the producer; none for those that cannot be used.
    sockets: BTreeMap<Vec<u8>, Option<(Rc<Seat>, usize)>>,
}

impl<'a> Producers<'a> {
    /// Those for all targets, and for the sockets that events were sent to by now.
    ///
    /// # Errors
    /// What the library does not take.
    pub(super) fn open(desk: &'a Desk, ledger: Arc<Ledger>) -> Result<Self, String> {
        let mut producers = Self {
            desk,
            ledger,
            all: Vec::new(),
            sockets: BTreeMap::new(),
        };
        for (connection, producer) in desk.settings.producers.iter().enumerate() {
            producers.open_one(&producer.brokers, &producer.properties, connection)?;
        }
        for (text, seat) in desk.seats.taken() {
            let Socket {
                brokers,
                properties,
                ..
            } = &seat.socket;
            let number = producers.open_one(brokers, properties, seat.connection)?;
            producers.sockets.insert(text, Some((seat, number)));
        }
        Ok(producers)
    }

    /// Its number among all.
    fn open_one(
        &mut self,
        brokers: &str,
        properties: &[Property],
        connection: usize,
    ) -> Result<usize, String> {
        let bytes = self.desk.settings.common.message_bytes_max;
        let config = config(brokers, properties, bytes);
        let producer = Producer::open(&config, Arc::clone(&self.ledger), connection)?;
        self.all.push(producer);
        Ok(self.all.len() - 1)
    }

    /// From now on messages do not linger.
    pub(super) fn flush(&self) {
        self.all.iter().for_each(Producer::flush);
    }

    /// Hands a frame to the library, and notes it in the ledger at this place of this page.
    pub(super) fn send(&mut self, frame: &[u8], page: u16, place: u8) -> Sent {
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
        let Some((topic, producer, row)) = self.place(publish.to) else {
            return Sent::Never;
        };
        let ticket = Ticket {
            page,
            frame: place,
            row,
            report: publish.report,
        };
        self.ledger.note(ticket);
        let mut record = BaseRecord {
            topic,
            partition: None,
            payload: Some(publish.payload),
            key: publish.key,
            timestamp: None,
            headers: headers(publish.headers),
            delivery_opaque: ticket.encode(),
        };
        let mut alone = false;
        let error = loop {
            let (error, back) = match producer.client.send(record) {
                Ok(()) => return Sent::Done,
                Err(refused) => refused,
            };
            match error {
                // One that has no room when nothing else is there never will.
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) if !alone => {
                    alone = producer.client.in_flight_count() == 0;
                    if !alone {
                        self.ledger.take_back(ticket);
                        return Sent::Full;
                    }
                    record = back;
                }
                KafkaError::MessageProduction(RDKafkaErrorCode::Fatal) => {
                    self.ledger.fail();
                    return Sent::Done;
                }
                error => break error,
            }
        };
        self.refuse(ticket, &publish, &error);
        Sent::Done
    }

    fn place(&self, to: To<'_>) -> Option<(&str, &Producer, u16)> {
        match to {
            To::Target(index) => {
                let target = self.desk.settings.targets.get(usize::from(index))?;
                let producer = self.all.get(target.producer)?;
                Some((&target.topic, producer, index))
            }
            To::Socket(text) => {
                let (seat, number) = self.sockets.get(text)?.as_ref()?;
                Some((&seat.socket.topic, self.all.get(*number)?, seat.row))
            }
        }
    }

    /// The library did not even put the message into its queue.
    fn refuse(&self, ticket: Ticket, publish: &Publish<'_>, error: &KafkaError) {
        let error = explain(error);
        self.ledger.count(ticket.row, Some(&error));
        if ticket.report.is_none() {
            self.ledger.settle(ticket, true);
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
        let made = self.open_socket(text);
        if let Err(why) = &made {
            let presence = &self.desk.presence;
            presence.board().count(slot::SOCKETS_REFUSED, 1);
            // Scripts may name any number: the others are tried with each event, and not told about.
            if self.sockets.values().filter(|kept| kept.is_none()).count() >= REFUSED_MAX {
                return;
            }
            presence.complained(&format!(
                "events for {} are left out: {why}",
                redacted(&String::from_utf8_lossy(text), IN_SOCKETS)
            ));
        }
        self.sockets.insert(text.to_vec(), made.ok());
    }

    fn open_socket(&mut self, text: &[u8]) -> Result<(Rc<Seat>, usize), String> {
        let seat = self.desk.seats.offer(text)?;
        let Socket {
            brokers,
            properties,
            ..
        } = &seat.socket;
        match self.open_one(brokers, properties, seat.connection) {
            Ok(number) => Ok((self.desk.seats.take(text, seat), number)),
            Err(why) => {
                self.desk.seats.leave_out(&seat);
                Err(why)
            }
        }
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
