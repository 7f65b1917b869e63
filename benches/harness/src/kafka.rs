//! Kafka: a cluster to measure with, and the library alone, with the same settings as the module's.

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use std::fs;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const BROKERS: i32 = 3;

/// So long a group may take to be formed.
const JOINED: Duration = Duration::from_secs(20);

fn other(error: KafkaError) -> io::Error {
    io::Error::other(error.to_string())
}

/// The library's mock of a cluster, with topics of so many partitions, until standard input ends.
pub fn cluster(partitions: usize, topics: &[String]) -> io::Result<()> {
    let cluster = MockCluster::new(BROKERS).map_err(other)?;
    let partitions = i32::try_from(partitions).map_err(io::Error::other)?;
    for topic in topics {
        cluster.create_topic(topic, partitions, 1).map_err(other)?;
    }
    println!("{}", cluster.bootstrap_servers());
    io::stdin().read_to_end(&mut Vec::new()).map(|_| ())
}

/// Counts delivery reports.
struct Reports {
    delivered: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        let counter = if result.is_ok() {
            &self.delivered
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The library alone: from the first message to the last delivery report. Messages go to so many
/// partitions by turns; for 0 the library chooses.
pub fn produce(
    bootstrap: &str,
    topic: &str,
    count: usize,
    size: usize,
    partitions: usize,
) -> io::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.set("enable.idempotence", "true");
    config.set("queue.buffering.max.messages", "0");
    let (delivered, failed) = (Arc::default(), Arc::default());
    let reports = Reports {
        delivered: Arc::clone(&delivered),
        failed: Arc::clone(&failed),
    };
    let producer = ThreadedProducer::from_config_and_context(&config, reports).map_err(other)?;
    let payload = vec![b'x'; size];
    let begin = Instant::now();
    let mut sent = 0;
    while sent < count {
        let mut record: BaseRecord<'_, (), [u8], usize> = BaseRecord::with_opaque_to(topic, sent);
        record.payload = Some(&payload);
        record.partition = sent
            .checked_rem(partitions)
            .and_then(|partition| i32::try_from(partition).ok());
        match producer.send(record) {
            Ok(()) => sent += 1,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(other(error)),
        }
    }
    while delivered.load(Ordering::Relaxed) + failed.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_micros(100));
    }
    let delivered = delivered.load(Ordering::Relaxed);
    println!("{delivered} {}", begin.elapsed().as_nanos());
    Ok(())
}

/// What the module tells its consumers.
const FETCH_PAUSE_MS: &str = "20";

/// Processor time of all threads of this program, in nanoseconds.
fn processor_time() -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let figures = fs::read_to_string(task?.path().join("schedstat"))?;
        let running = figures.split(' ').next().unwrap_or_default();
        total += running.parse::<u64>().map_err(io::Error::other)?;
    }
    Ok(total)
}

/// Whether a record came. A poll also ends, early and with nothing, when something else was to be done.
fn next(consumer: &BaseConsumer, patience: Duration) -> io::Result<bool> {
    let mut since = None;
    loop {
        match consumer.poll(patience) {
            Some(record) => return record.map(|_| true).map_err(other),
            None if since.get_or_insert_with(Instant::now).elapsed() >= patience => {
                return Ok(false);
            }
            None => {}
        }
    }
}

/// The library alone, as a member of a group that stores each record's offset: from the first record to
/// the last.
pub fn consume(bootstrap: &str, topic: &str, count: usize) -> io::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.set("group.id", "bare");
    config.set("auto.offset.reset", "earliest");
    config.set("fetch.queue.backoff.ms", FETCH_PAUSE_MS);
    let consumer: BaseConsumer = config.create().map_err(other)?;
    consumer.subscribe(&[topic]).map_err(other)?;
    // The first record comes when the group is formed.
    let mut seen = usize::from(next(&consumer, JOINED)?);
    let (begin, spent) = (Instant::now(), processor_time()?);
    while seen < count && next(&consumer, crate::STALLED)? {
        seen += 1;
    }
    let (took, spent) = (begin.elapsed(), processor_time()? - spent);
    if seen < count {
        return Err(io::Error::other(format!("{seen} of {count} records came")));
    }
    println!("{seen} {} {spent}", took.as_nanos());
    Ok(())
}
