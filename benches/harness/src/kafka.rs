//! Kafka: a cluster to measure with, and the library alone, with the same settings as the module's.

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const BROKERS: i32 = 3;

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

/// The library alone: from the first message to the last delivery report.
pub fn produce(bootstrap: &str, topic: &str, count: usize, size: usize) -> io::Result<()> {
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

/// The library alone: from the first record to the last.
pub fn consume(bootstrap: &str, topic: &str, count: usize) -> io::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.set("group.id", "bare");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().map_err(other)?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10));
    let metadata = metadata.map_err(other)?;
    let mut list = TopicPartitionList::new();
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)
            .map_err(other)?;
    }
    consumer.assign(&list).map_err(other)?;
    let (mut first, mut took, mut seen) = (None, Duration::ZERO, 0);
    while seen < count {
        match consumer.poll(crate::STALLED) {
            Some(Ok(_)) => {
                took = first.get_or_insert_with(Instant::now).elapsed();
                seen += 1;
            }
            Some(Err(error)) => return Err(other(error)),
            // The cluster keeps 5 MiB a partition: the oldest may be gone.
            None => break,
        }
    }
    println!("{seen} {}", took.as_nanos());
    Ok(())
}
