//! The settings of the Kafka modules, and what the connector needs to know of them.

mod rows;

pub use rows::{EVENT_KAFKA, KAFKA};

use super::consume::{self, Consumer};
use super::property::{self, IN_LINES, IN_SOCKETS, Property};
use super::socket::{self, Socket};
use super::topic::{pairs, topic};
use crate::config::{COMMON, Common, Given, Values, check};
use crate::events::socket as events;
use crate::events::subscription::Subscription;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Bytes that a report or a record adds to its payload, for all but unusual keys and headers.
const ENVELOPE_BYTES: usize = 16 * 1024;

/// A connection of the client library for publishing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// What the library is told.
    pub properties: Vec<Property>,
}

/// Where a script can publish to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What the script calls it: event_kafka's broker ID, kafka's topic.
    pub id: String,
    /// The topic.
    pub topic: String,
    /// Which of the producers.
    pub producer: usize,
}

/// Everything the connector needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What all modules have.
    pub common: Common,
    /// The module's name: it stands in front of log records.
    pub module: String,
    /// Connections for publishing.
    pub producers: Vec<Producer>,
    /// Where to, in the order of the configuration.
    pub targets: Vec<Target>,
    /// Connections for consuming; each has inboxes of its own.
    pub consumers: Vec<Consumer>,
    /// Inboxes for delivery reports, in front of the consumers'.
    pub report_workers: usize,
    /// Sockets of events that are known at the start, for the library to check.
    pub sockets: Vec<Socket>,
    /// How many different sockets events can be sent to.
    pub sockets_max: usize,
    /// Lines of `event_subscription`, sound ones.
    pub subscriptions: Vec<String>,
    /// How many subscriptions to events there can be.
    pub subscriptions_max: usize,
    /// A broker must have answered before the start goes on.
    pub needs_broker: bool,
    /// How long that may take.
    pub metadata_timeout_ms: u64,
}

impl Settings {
    /// Checks what was given to event_kafka.
    ///
    /// # Errors
    /// Every mistake, as a sentence without secrets.
    pub fn event_kafka(given: &Given) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let values = check(&[COMMON, EVENT_KAFKA], given, &mut mistakes);
        let mut settings = Self::new("event_kafka", &values, &mut mistakes);
        for text in values.texts("broker_id") {
            match socket::parse_with_id(text) {
                Ok((id, _)) if settings.target(&id).is_some() => mistakes.push(format!(
                    "broker_id = \"{}\": there is a broker_id [{id}] already",
                    property::redacted(text, IN_SOCKETS)
                )),
                Ok((id, socket)) => settings.add(id, socket),
                Err(mistake) => {
                    mistakes.push(format!("broker_id = {}", mistake.about(text, IN_SOCKETS)))
                }
            }
        }
        for text in values.texts("consume") {
            match consume::parse(text) {
                Ok(consumer) => settings.consumers.push(consumer),
                Err(mistake) => {
                    mistakes.push(format!("consume = {}", mistake.about(text, IN_LINES)))
                }
            }
        }
        settings.report_workers = values.size("report_workers");
        settings.sockets_max = values.size("event_sockets_max");
        settings.subscriptions_max = values.size("event_subscriptions_max");
        for text in values.texts("event_subscription") {
            match Subscription::parse(text) {
                Ok(line) => settings.subscribe(text, line),
                Err(why) => mistakes.push(format!("event_subscription = {why}")),
            }
        }
        let most = settings.sockets_max;
        if settings.sockets.len() > most {
            mistakes.push(format!(
                "event_sockets_max = {most}: event_subscription names {} different kafka: sockets",
                settings.sockets.len()
            ));
        }
        settings.check_inboxes(&mut mistakes);
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(mistakes)
        }
    }

    /// Checks what was given to kafka.
    ///
    /// # Errors
    /// Every mistake, as a sentence without secrets.
    pub fn kafka(given: &Given) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let values = check(&[COMMON, KAFKA], given, &mut mistakes);
        let mut settings = Self::new("kafka", &values, &mut mistakes);
        let brokers = values.text("brokers").unwrap_or_default();
        if brokers.is_empty() {
            mistakes.push("brokers: it must be given".to_owned());
        } else if let Err(mistake) = socket::check_brokers(brokers) {
            mistakes.push(format!("brokers = {}", mistake.about(brokers, IN_LINES)));
        }
        let mut properties = Vec::new();
        let configuration = values.text("configuration").unwrap_or_default();
        match pairs(configuration, property::Class::Global) {
            Ok(given) => properties = given,
            Err(mistake) => {
                mistakes.push(format!(
                    "configuration = {}",
                    mistake.about(configuration, IN_LINES)
                ));
            }
        }
        for text in values.texts("topic") {
            match topic(text) {
                Ok((name, _)) if settings.target(&name).is_some() => mistakes.push(format!(
                    "topic = \"{}\": there is a topic {name} already",
                    property::redacted(text, IN_LINES)
                )),
                Ok((name, own)) => {
                    let socket = Socket {
                        brokers: brokers.to_owned(),
                        topic: name.clone(),
                        properties: properties.iter().cloned().chain(own).collect(),
                        key_callid: false,
                    };
                    settings.add(name, socket);
                }
                Err(mistake) => mistakes.push(format!("topic = {}", mistake.about(text, IN_LINES))),
            }
        }
        if settings.producers.is_empty() {
            // Without a topic nothing can be sent, but the properties are to be checked.
            settings.producers.push(Producer {
                brokers: brokers.to_owned(),
                properties,
            });
        }
        settings.needs_broker = values.number("init_without_kafka") == 0;
        settings.metadata_timeout_ms = values.milliseconds("metadata_timeout");
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(mistakes)
        }
    }

    fn new(module: &str, values: &Values, mistakes: &mut Vec<String>) -> Self {
        Self {
            common: Common::from_values(values, mistakes),
            module: module.to_owned(),
            producers: Vec::new(),
            targets: Vec::new(),
            consumers: Vec::new(),
            report_workers: 0,
            sockets: Vec::new(),
            sockets_max: 0,
            subscriptions: Vec::new(),
            subscriptions_max: 0,
            needs_broker: false,
            metadata_timeout_ms: 0,
        }
    }

    fn subscribe(&mut self, text: &str, line: Subscription) {
        self.subscriptions.push(text.to_owned());
        if let events::Socket::Kafka { parsed, .. } = line.socket
            && !self.sockets.contains(&parsed)
        {
            self.sockets.push(*parsed);
        }
    }

    /// Targets with the same cluster and properties share a producer.
    fn add(&mut self, id: String, socket: Socket) {
        let producer = Producer {
            brokers: socket.brokers,
            properties: socket.properties,
        };
        let known = self.producers.iter().position(|other| *other == producer);
        let index = known.unwrap_or_else(|| {
            self.producers.push(producer);
            self.producers.len() - 1
        });
        self.targets.push(Target {
            id,
            topic: socket.topic,
            producer: index,
        });
    }

    fn check_inboxes(&self, mistakes: &mut Vec<String>) {
        let wanted = self.common.message_bytes_max + ENVELOPE_BYTES;
        if self.report_workers > 0 && wanted > self.common.inbox_bytes {
            mistakes.push(format!(
                "message_size_max = {}: the report of a message of that size does not fit into inbox_size = {}; raise inbox_size to {wanted} or lower message_size_max",
                self.common.message_bytes_max, self.common.inbox_bytes
            ));
        }
        if self.targets.len() >= usize::from(u16::MAX) {
            mistakes.push("broker_id: there are too many".to_owned());
        }
    }

    /// The number of a target.
    #[must_use]
    pub fn target(&self, id: &str) -> Option<u16> {
        let index = self.targets.iter().position(|target| target.id == id)?;
        u16::try_from(index).ok()
    }

    /// How many inboxes there are: one per event worker.
    #[must_use]
    pub fn inboxes(&self) -> usize {
        self.report_workers + self.consumers.iter().map(|c| c.workers).sum::<usize>()
    }

    /// The inboxes of a consumer.
    #[must_use]
    pub fn inboxes_of(&self, consumer: usize) -> Range<usize> {
        let before = self.consumers.iter().take(consumer).map(|c| c.workers);
        let start = self.report_workers + before.sum::<usize>();
        let workers = self.consumers.get(consumer).map_or(0, |c| c.workers);
        start..start + workers
    }

    /// Titles of the event workers, in the order of their inboxes.
    #[must_use]
    pub fn worker_titles(&self) -> Vec<String> {
        let reports = (0..self.report_workers).map(|i| format!("delivery reports {i}"));
        let consumers = self.consumers.iter().flat_map(|consumer| {
            let topics = consumer.topics.join(",");
            (0..consumer.workers).map(move |i| format!("{topics} for {} {i}", consumer.group))
        });
        reports.chain(consumers).collect()
    }

    /// Lines of the module's table, see [`figure`](super::counter::figure).
    #[must_use]
    pub fn rows(&self) -> usize {
        self.targets.len() + self.sockets_max + self.consumers.len()
    }
}
