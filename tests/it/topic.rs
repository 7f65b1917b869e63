//! An independent client of Kafka: rskafka, which shares nothing with the library of the engine.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record as Sent;

use crate::subscriber::runtime;
use crate::wait;

/// Bytes taken from a partition in one go.
const FETCH_BYTES: i32 = 8 << 20;

/// A record as it lies in its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    /// `name=value,name=value`
    pub(crate) headers: String,
    pub(crate) payload: Vec<u8>,
}

impl Record {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    pub(crate) fn key_text(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(String::from_utf8_lossy(key).into_owned())
    }
}

/// Key, payload and headers of a record.
pub(crate) type Outgoing<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A client of one topic.
pub(crate) struct Topic {
    partitions: Vec<Partition>,
    /// How long the broker may look for more, in milliseconds.
    fetch_wait_ms: i32,
    seen: Vec<Record>,
}

struct Partition {
    client: PartitionClient,
    /// Where to read on.
    next: i64,
}

/// A client of the cluster.
pub(crate) async fn client(bootstrap: &str) -> Client {
    let brokers = bootstrap.split(',').map(String::from).collect();
    ClientBuilder::new(brokers).build().await.unwrap()
}

impl Topic {
    /// Waits until the topic is there.
    pub(crate) fn new(bootstrap: &str, name: &str, fetch_wait_ms: i32) -> Self {
        let client = runtime().block_on(client(bootstrap));
        let known = wait::until_some(&format!("there is a topic {name}"), || {
            let topics = runtime().block_on(client.list_topics()).unwrap();
            topics.into_iter().find(|topic| topic.name == name)
        });
        let partitions = known.partitions.into_iter().map(|partition| {
            let open = client.partition_client(name, partition, UnknownTopicHandling::Retry);
            let client = runtime().block_on(open).unwrap();
            Partition { client, next: 0 }
        });
        Self {
            partitions: partitions.collect(),
            fetch_wait_ms,
            seen: Vec::new(),
        }
    }

    /// All records that are there now; those of a partition in their order.
    pub(crate) fn records(&mut self) -> &[Record] {
        for partition in &mut self.partitions {
            while partition.read(self.fetch_wait_ms, &mut self.seen) {}
        }
        &self.seen
    }

    /// Waits until there are so many records.
    pub(crate) fn wait_for(&mut self, count: usize) -> Vec<Record> {
        wait::until(&format!("there are {count} records"), || {
            self.records().len() >= count
        });
        self.seen.clone()
    }

    /// Waits for the only record.
    pub(crate) fn only(&mut self) -> Record {
        let mut records = self.wait_for(1);
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }

    /// Publishes a record; those with one key go to one partition.
    pub(crate) fn publish(&self, key: &str, payload: &str) {
        self.publish_all(&[(key, payload, &[])]);
    }

    /// Publishes a record that may lack its key or its value.
    pub(crate) fn publish_one(&self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let record = Sent {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: BTreeMap::new(),
            timestamp: Default::default(),
        };
        let partition = &self.partitions[0].client;
        let produce = partition.produce(vec![record], Compression::NoCompression);
        runtime().block_on(produce).unwrap();
    }

    /// Publishes records: key, payload and headers of each.
    pub(crate) fn publish_all(&self, records: &[Outgoing<'_>]) {
        let mut batches: Vec<Vec<Sent>> = self.partitions.iter().map(|_| Vec::new()).collect();
        for (key, payload, headers) in records {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            let index = hasher.finish() % batches.len() as u64;
            let bytes =
                |(name, value): &(&str, &str)| (name.to_string(), value.as_bytes().to_vec());
            let headers = headers.iter().map(bytes);
            batches[usize::try_from(index).unwrap()].push(Sent {
                key: Some(key.as_bytes().to_vec()),
                value: Some(payload.as_bytes().to_vec()),
                headers: headers.collect(),
                timestamp: Default::default(),
            });
        }
        for (partition, batch) in self.partitions.iter().zip(batches) {
            if !batch.is_empty() {
                let produce = partition.client.produce(batch, Compression::NoCompression);
                runtime().block_on(produce).unwrap();
            }
        }
    }
}

impl Partition {
    /// True if there were more.
    fn read(&mut self, wait_ms: i32, seen: &mut Vec<Record>) -> bool {
        let fetch = self
            .client
            .fetch_records(self.next, 1..FETCH_BYTES, wait_ms);
        let Ok((records, _)) = runtime().block_on(fetch) else {
            return false;
        };
        let before = self.next;
        for read in records.into_iter().filter(|read| read.offset >= before) {
            let record = read.record;
            let header = |(name, value): (String, Vec<u8>)| {
                format!("{name}={}", String::from_utf8_lossy(&value))
            };
            let headers: Vec<String> = record.headers.into_iter().map(header).collect();
            seen.push(Record {
                partition: self.client.partition(),
                offset: read.offset,
                key: record.key,
                headers: headers.join(","),
                payload: record.value.unwrap_or_default(),
            });
            self.next = read.offset + 1;
        }
        self.next > before
    }
}
