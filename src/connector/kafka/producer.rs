//! One of the library's producers: how it is made, what it tells, and how it ends.

use super::ledger::{Ledger, Outcome, Ticket};
use super::session::{Watch, common, explain, log};
use crate::frame::kafka::Place;
use crate::kafka::property::{Property, allow_idempotence, find};
use crate::primitive::{AtomicU8, Ordering};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::statistics::Statistics;
use std::sync::Arc;
use std::time::Duration;

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

/// What a producer's thread needs.
#[derive(Debug)]
pub(super) struct Context {
    ledger: Arc<Ledger>,
    watch: Watch,
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
                // All producers end, and what is not settled is sent again.
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
            self.ledger.settle(ticket, error.is_some());
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
pub(super) struct Producer {
    pub(super) client: Arc<BaseProducer<Context>>,
    /// What the thread is to do.
    word: Arc<AtomicU8>,
}

/// Words to a producer's thread.
const RUN: u8 = 0;
const FLUSH: u8 = 1;
const END: u8 = 2;

impl Producer {
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
        let client = BaseProducer::from_config_and_context(config, context);
        let client = Arc::new(client.map_err(|error| explain(&error))?);
        let word = Arc::new(AtomicU8::new(RUN));
        let (its_client, its_word) = (Arc::clone(&client), Arc::clone(&word));
        std::thread::Builder::new()
            .name("kafka reports".to_owned())
            .spawn(move || poll(&its_client, &its_word))
            .map_err(|error| error.to_string())?;
        Ok(Self { client, word })
    }

    /// From now on messages do not linger.
    pub(super) fn flush(&self) {
        self.word.store(FLUSH, Ordering::Relaxed);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.word.store(END, Ordering::Relaxed);
    }
}

/// Runs the callbacks until it is to end. The last owner of a client ends it.
fn poll(client: &BaseProducer<Context>, word: &AtomicU8) {
    let watch = &client.context().watch;
    loop {
        let word = word.load(Ordering::Relaxed);
        if word == END {
            return;
        }
        if word == FLUSH && client.in_flight_count() > 0 {
            // Each call asks the library's threads to send what they have, but only those that look
            // during the call hear it: so it is repeated.
            _ = (0..FLUSHES).any(|_| client.flush(Duration::ZERO).is_ok());
            client.poll(POLL_FLUSH);
        } else if watch.is_new() {
            client.poll(POLL_NEW);
            // Known as soon as a broker has described its cluster, and ever after.
            watch.looked(client.client().fetch_cluster_id(Duration::ZERO).is_some());
        } else {
            client.poll(POLL);
        }
    }
}
