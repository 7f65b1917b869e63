//! The library's producers: how they are made, what they tell, and how they end.

use super::ledger::{Ledger, Outcome, Ticket};
use super::notice::{Figures, Notices, What};
use crate::frame::kafka::Place;
use crate::kafka::property::{Property, allow_idempotence, find, is_secret};
use crate::primitive::{AtomicU8, Ordering};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::statistics::Statistics;
use std::sync::Arc;
use std::time::Duration;

/// How often the library counts its messages and tells round-trip times.
const STATISTICS_INTERVAL_MS: &str = "5000";

/// Calls of the library's flush in a row, and the wait for events after them.
const FLUSHES: usize = 256;
const POLL_FLUSH: Duration = Duration::from_millis(2);

/// How long the polling thread waits for events before it looks whether it is to end.
const POLL: Duration = Duration::from_secs(1);
/// As long as no broker has ever answered, it looks for that, too.
const POLL_NEW: Duration = Duration::from_millis(100);

/// What a broker's limit and the library's are compared with: batch and record headers.
const RECORD_OVERHEAD: usize = 16 * 1024;
/// The library's own limit of a message, unless it is told another.
const MESSAGE_BYTES: usize = 1_000_000;

/// What both kinds of clients are told.
pub(super) fn common(brokers: &str, properties: &[Property]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "sipbus")
        .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
        .set_log_level(RDKafkaLogLevel::Notice);
    for property in properties {
        config.set(&property.name, &property.value);
    }
    config
}

/// What a producer is told. The lanes bound what waits in it, so its queue needs no bound of its own.
pub(super) fn config(
    brokers: &str,
    properties: &[Property],
    message_bytes_max: usize,
) -> ClientConfig {
    let mut config = common(brokers, properties);
    let given = |name| find(properties, name).is_some();
    if allow_idempotence(properties) {
        config.set("enable.idempotence", "true");
    }
    if !given("queue.buffering.max.messages") {
        config.set("queue.buffering.max.messages", "0");
    }
    let bytes = message_bytes_max + RECORD_OVERHEAD;
    if bytes > MESSAGE_BYTES && !given("message.max.bytes") {
        config.set("message.max.bytes", bytes.to_string());
    }
    config
}

/// A library's error as a sentence without secrets.
pub(super) fn explain(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) if is_secret(name) => {
            format!("{name}: the library does not take this value")
        }
        KafkaError::ClientConfig(_, why, name, _) => format!("{name}: {why}"),
        KafkaError::ClientCreation(why) => why.clone(),
        error => match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        },
    }
}

/// What a producer's thread needs.
#[derive(Debug)]
pub(super) struct Context {
    ledger: Arc<Ledger>,
    watch: Watch,
}

/// Whether a broker answers, as clients of both kinds find out.
#[derive(Debug)]
pub(super) struct Watch {
    notices: Notices,
    connection: usize,
    up: AtomicU8,
}

impl Watch {
    pub(super) fn new(notices: Notices, connection: usize) -> Self {
        Self {
            notices,
            connection,
            up: AtomicU8::new(0),
        }
    }

    pub(super) fn up(&self) {
        if self.up.swap(1, Ordering::Relaxed) == 0 {
            self.notices.tell(self.connection, What::Up);
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed) == 1
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let why = reason.to_owned();
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.up.store(0, Ordering::Relaxed);
            self.notices.tell(self.connection, What::Down(why));
        } else {
            self.notices.tell(self.connection, What::Trouble(why));
        }
    }

    pub(super) fn statistics(&self, statistics: &Statistics) {
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            self.up();
        }
        let in_flight = statistics.brokers.values().map(|broker| {
            // The library says -1 for what it does not know.
            u64::try_from(broker.waitresp_msg_cnt + broker.outbuf_msg_cnt).unwrap_or(0)
        });
        let in_flight: u64 = in_flight.sum();
        let round_trips = statistics.brokers.values().filter_map(|b| b.rtt.as_ref());
        let round_trip = round_trips
            .filter(|rtt| rtt.cnt > 0)
            .map(|rtt| rtt.avg)
            .max();
        let figures = Figures {
            queued: statistics.msg_cnt.saturating_sub(in_flight),
            in_flight,
            round_trip_us: u64::try_from(round_trip.unwrap_or(0)).unwrap_or(0),
        };
        self.notices.tell(self.connection, What::Figures(figures));
    }
}

/// The library's log lines: what matters of them comes as errors, too, and once.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    log::debug!("librdkafka: {level:?} {facility} {text}");
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.watch.statistics(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.error(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.ledger.fail();
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let ticket = Ticket::decode(number);
        let (message, error) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(error)),
        };
        let error = match error {
            None => {
                self.watch.up();
                None
            }
            Some(error) => match error.rdkafka_error_code() {
                // The whole session ends, and what is not settled is sent again.
                Some(
                    RDKafkaErrorCode::Fatal
                    | RDKafkaErrorCode::PurgeQueue
                    | RDKafkaErrorCode::PurgeInflight,
                ) => return,
                // The idempotent producer does not know any more what the cluster has: this comes
                // before the library says that it is fatal.
                Some(
                    RDKafkaErrorCode::OutOfOrderSequenceNumber
                    | RDKafkaErrorCode::UnknownProducerId
                    | RDKafkaErrorCode::InvalidProducerEpoch,
                ) => {
                    self.ledger.fail();
                    return;
                }
                _ => Some(explain(error)),
            },
        };
        self.ledger.count(ticket.row, error.as_deref());
        if ticket.report.is_some() {
            self.ledger
                .report(outcome(&self.ledger, ticket, message, error));
        } else {
            self.ledger.settle(ticket.page, error.is_some());
        }
    }
}

fn outcome(
    ledger: &Arc<Ledger>,
    ticket: Ticket,
    message: &BorrowedMessage<'_>,
    error: Option<String>,
) -> Outcome {
    let (partition, offset) = match error {
        None => (message.partition(), message.offset()),
        Some(_) => (-1, -1),
    };
    Outcome {
        ledger: Arc::clone(ledger),
        ticket,
        place: Place { partition, offset },
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().unwrap_or_default().to_vec(),
        error,
    }
}

/// One of the library's producers, and the thread that runs its callbacks.
pub(super) struct Client {
    pub(super) producer: Arc<BaseProducer<Context>>,
    /// What the thread is to do.
    word: Arc<AtomicU8>,
}

/// Words to a producer's thread.
const RUN: u8 = 0;
const FLUSH: u8 = 1;
const END: u8 = 2;

impl Client {
    /// Makes one; the library connects by itself.
    ///
    /// # Errors
    /// What the library does not take, or the system.
    pub(super) fn open(
        config: &ClientConfig,
        ledger: Arc<Ledger>,
        connection: usize,
    ) -> Result<Self, String> {
        let watch = Watch::new(ledger.notices.clone(), connection);
        let context = Context { ledger, watch };
        let producer = BaseProducer::from_config_and_context(config, context);
        let producer = Arc::new(producer.map_err(|error| explain(&error))?);
        let word = Arc::new(AtomicU8::new(RUN));
        let (its_producer, its_word) = (Arc::clone(&producer), Arc::clone(&word));
        std::thread::Builder::new()
            .name("kafka reports".to_owned())
            .spawn(move || poll(&its_producer, &its_word))
            .map_err(|error| error.to_string())?;
        Ok(Self { producer, word })
    }

    /// From now on messages do not linger.
    pub(super) fn flush(&self) {
        self.word.store(FLUSH, Ordering::Relaxed);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.word.store(END, Ordering::Relaxed);
    }
}

/// Runs the callbacks until it is to end. The last owner of a producer ends it.
fn poll(producer: &BaseProducer<Context>, word: &AtomicU8) {
    let watch = &producer.context().watch;
    let mut is_new = true;
    loop {
        let word = word.load(Ordering::Relaxed);
        if word == END {
            return;
        }
        if word == FLUSH && producer.in_flight_count() > 0 {
            // Each call asks the library's threads to send what they have, but only those that look
            // during the call hear it: so it is repeated.
            _ = (0..FLUSHES).any(|_| producer.flush(Duration::ZERO).is_ok());
            producer.poll(POLL_FLUSH);
        } else if is_new && !watch.is_up() {
            producer.poll(POLL_NEW);
            // Known as soon as a broker has described its cluster, and ever after.
            if producer.client().fetch_cluster_id(Duration::ZERO).is_some() {
                watch.up();
            }
        } else {
            is_new = false;
            producer.poll(POLL);
        }
    }
}
