//! What stands for Kamailio: a region, lanes to write to, event workers that collect, and an engine on a
//! thread of this process.

use crate::wait::watchdog;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};
use sipbus::config::{Given, Value};
use sipbus::connector::kafka::EVENT_KAFKA;
use sipbus::frame::kafka::{Event, Publish, To};
use sipbus::kafka::counter::COUNTERS;
use sipbus::kafka::settings::Settings;
use sipbus::link::Link;
use sipbus::module::State;
use sipbus::shm::inbox::Inbox;
use sipbus::shm::lane::Lane;
use sipbus::shm::layout::ModulePlan;
use sipbus::shm::region::Region;
use sipbus::shm::waker::Waker;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

const PROCESSES: usize = 4;

pub(crate) type Cluster = MockCluster<'static, DefaultProducerContext>;

pub(crate) fn cluster() -> Cluster {
    MockCluster::new(3).unwrap()
}

/// A cluster's, by their numbers.
pub(crate) const BROKERS: [i32; 3] = [1, 2, 3];

/// None answers any more.
pub(crate) fn all_down(cluster: &Cluster) {
    for id in BROKERS {
        cluster.broker_down(id).unwrap();
    }
}

/// They are there again.
pub(crate) fn all_up(cluster: &Cluster) {
    for id in BROKERS {
        cluster.broker_up(id).unwrap();
    }
}

/// A running engine and the region it serves.
pub(crate) struct Stand {
    region: &'static Region,
    waker: &'static Waker,
    settings: serde_json::Value,
    engine: Option<Engine>,
}

struct Engine {
    drain: watch::Sender<bool>,
    kill: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// An event as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) route: u32,
    pub(crate) delivered: bool,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
    pub(crate) text: String,
    pub(crate) error: String,
}

impl Stand {
    /// With these lines of the configuration.
    pub(crate) fn start(lines: &[(&str, &str)]) -> Self {
        let mut given = Given::default();
        for (name, text) in lines {
            let number = text.parse().map(Value::Number);
            given.add(
                name,
                number.unwrap_or_else(|_| Value::Text((*text).to_owned())),
            );
        }
        let settings = Settings::event_kafka(&given).unwrap();
        let plan = ModulePlan {
            name: "event_kafka".to_owned(),
            lane_bytes: settings.common.queue_bytes,
            inbox_bytes: settings.common.inbox_bytes,
            inboxes: settings.inboxes(),
            rows: settings.rows(),
            mailbox_bytes: 0,
        };
        let mut stand = Self {
            region: Region::create(PROCESSES, vec![plan]).unwrap(),
            waker: Box::leak(Box::new(Waker::new().unwrap())),
            settings: serde_json::to_value(settings).unwrap(),
            engine: None,
        };
        stand.start_engine();
        stand
    }

    pub(crate) fn start_engine(&mut self) {
        let (drain, draining) = watch::channel(false);
        let (kill, killed) = oneshot::channel();
        let (region, settings) = (self.region, self.settings.clone());
        let waker = self.waker.fd().try_clone_to_owned().unwrap();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let link = Link::open(region, 0, waker, Vec::new(), draining).unwrap();
                tokio::select! {
                    done = (EVENT_KAFKA.run)(link, settings) => done.unwrap(),
                    _ = killed => {}
                }
            });
        });
        self.engine = Some(Engine {
            drain,
            kill,
            thread,
        });
    }

    /// Lets the engine deliver everything and end.
    pub(crate) fn drain(&mut self) {
        let engine = self.engine.take().unwrap();
        engine.drain.send(true).unwrap();
        engine.thread.join().unwrap();
    }

    /// Ends the engine where it is.
    pub(crate) fn kill(&mut self) {
        let engine = self.engine.take().unwrap();
        engine.kill.send(()).unwrap();
        engine.thread.join().unwrap();
    }

    /// The lane of a process.
    pub(crate) fn lane(&self, process: usize) -> Lane {
        Lane::attach(self.region, 0, process, self.waker, watchdog()).unwrap()
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let named = |name: &str| COUNTERS.iter().find(|c| c.name.to_str() == Ok(name));
        named(name).unwrap().value(self.region, 0)
    }

    /// Whether the connector says that all its brokers are there.
    pub(crate) fn is_connected(&self) -> bool {
        self.region.module(0).state.value() == State::Connected as u64
    }

    /// A figure of a line of the table.
    pub(crate) fn figure(&self, row: usize, slot: usize) -> u64 {
        self.region.row(0, row).unwrap().figures[slot].value()
    }

    /// The worker of an inbox: what it sees comes out here.
    pub(crate) fn worker(&self, inbox: usize) -> mpsc::Receiver<Seen> {
        let mut inbox = Inbox::attach(self.region, 0, inbox, self.waker).unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let event = Event::parse(inbox.wait().unwrap()).unwrap();
                let told = sender.send(see(&event));
                inbox.done();
                if told.is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

fn see(event: &Event<'_>) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match *event {
        Event::Message {
            place,
            topic,
            key,
            payload,
            ..
        } => Seen {
            route: 0,
            delivered: true,
            partition: place.partition,
            offset: place.offset,
            topic: text(topic),
            key: key.map(text),
            text: text(payload),
            error: String::new(),
        },
        Event::Report {
            route,
            delivered,
            place,
            key,
            error,
            payload,
            ..
        } => Seen {
            route,
            delivered,
            partition: place.partition,
            offset: place.offset,
            topic: String::new(),
            key: key.map(text),
            text: text(payload),
            error: text(error),
        },
    }
}

/// Publishes to target `to`.
pub(crate) fn publish(lane: &mut Lane, to: To<'_>, key: &str, text: &str, report: Option<u32>) {
    let publish = Publish {
        to,
        key: Some(key.as_bytes()),
        payload: text.as_bytes(),
        headers: &[],
        report,
    };
    publish.write(|parts| lane.submit(parts)).unwrap().unwrap();
}

/// Publishes a number of a writer to the first target, for [`whole_and_in_order`].
pub(crate) fn publish_number(lane: &mut Lane, writer: usize, number: usize) {
    let (key, text) = (format!("w{writer}"), number.to_string());
    publish(lane, To::Target(0), &key, &text, None);
}

/// The next event of a worker.
pub(crate) fn next(worker: &mpsc::Receiver<Seen>) -> Seen {
    worker.recv_timeout(watchdog()).unwrap()
}

/// Reads a topic from its beginning, until there are `count` records and then no more: key and payload,
/// per partition in their order.
pub(crate) fn records(bootstrap: &str, topic: &str, count: usize) -> Vec<(String, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "independent")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), watchdog()).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let begin = Instant::now();
    let (mut found, mut quiet) = (Vec::new(), 0);
    while found.len() < count || quiet < 20 {
        assert!(
            begin.elapsed() < watchdog(),
            "watchdog: {} of {count} records",
            found.len()
        );
        match consumer.poll(Duration::from_millis(10)) {
            Some(Ok(record)) => {
                let text = |bytes: Option<&[u8]>| {
                    String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
                };
                found.push((text(record.key()), text(record.payload())));
                quiet = 0;
            }
            Some(Err(_)) | None => quiet += 1,
        }
    }
    found
}

/// Checks that each writer's numbers came, each once, in their order; `writer` is the key, the payload a
/// number.
pub(crate) fn whole_and_in_order(records: &[(String, String)], writers: usize, count: usize) {
    for writer in 0..writers {
        let own = records
            .iter()
            .filter(|(key, _)| *key == format!("w{writer}"));
        let numbers: Vec<usize> = own.map(|(_, text)| text.parse().unwrap()).collect();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "writer {writer}");
    }
}
