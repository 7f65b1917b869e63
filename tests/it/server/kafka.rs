//! A broker that speaks Kafka's protocol: tansu, on a port of its own, or the cluster that
//! `KAFKA_BOOTSTRAP` names.

use std::sync::atomic::{AtomicU32, Ordering};

use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rskafka::client::error::{Error, ProtocolError};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::gate::Gate;
use crate::process::Server;
use crate::server::object_store::ObjectStore;
use crate::subscriber::runtime;
use crate::topic::{self, Topic};
use crate::{port, require, wait};

/// How long the broker may take to make a topic.
const CREATE_MS: i32 = 10_000;
const PARTITIONS: i32 = 3;

/// How long the broker may look for records: what is in memory is there at once.
const MEMORY_WAIT_MS: i32 = 1;
const STORE_WAIT_MS: i32 = 300;

static TOPICS: AtomicU32 = AtomicU32::new(0);

/// A running broker.
pub(crate) struct Kafka {
    bootstrap: String,
    own: Option<Own>,
}

/// A broker of the test's own. It keeps its records in memory, or in an object store.
struct Own {
    server: Option<Server>,
    port: u16,
    gate: Option<Gate>,
    store: Option<ObjectStore>,
    /// Nobody gets in who has not logged in.
    guarded: bool,
    folder: TempDir,
}

impl Kafka {
    /// The cluster from outside, or a broker of our own.
    pub(crate) fn start() -> Self {
        match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(bootstrap) => Self {
                bootstrap,
                own: None,
            },
            Err(_) => Self::own(),
        }
    }

    /// A broker of our own.
    pub(crate) fn own() -> Self {
        let mut kafka = Self::away();
        kafka.start_now();
        kafka
    }

    /// A broker of our own that is not started yet.
    pub(crate) fn away() -> Self {
        let port = port::free();
        Self::with(port, None)
    }

    /// A broker of our own behind a gate, which is shut: nothing reaches it.
    pub(crate) fn gated() -> Self {
        let gate = Gate::before(port::free());
        let mut kafka = Self::with(gate.upstream(), Some(gate));
        kafka.start_now();
        kafka
    }

    /// A broker of our own whose records outlive it.
    pub(crate) fn durable() -> Self {
        let mut kafka = Self::away();
        kafka.own.as_mut().unwrap().store = Some(ObjectStore::start());
        kafka.start_now();
        kafka
    }

    /// A broker of our own that clients know by the address of a proxy, localhost and this port.
    pub(crate) fn behind(upstream: u16, shown: u16) -> Self {
        let mut kafka = Self::with(upstream, None);
        kafka.bootstrap = format!("localhost:{shown}");
        kafka.start_now();
        kafka
    }

    /// The same, where everybody must log in first, by SCRAM. tansu knows no users where it has no database: so nobody can.
    pub(crate) fn guarded(upstream: u16, shown: u16) -> Self {
        let mut kafka = Self::with(upstream, None);
        kafka.bootstrap = format!("localhost:{shown}");
        kafka.own.as_mut().unwrap().guarded = true;
        kafka.start_now();
        kafka
    }

    fn with(port: u16, gate: Option<Gate>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-kafka-")
            .tempdir()
            .unwrap();
        let shown = gate.as_ref().map_or(port, Gate::port);
        let server = None;
        Self {
            bootstrap: format!("127.0.0.1:{shown}"),
            own: Some(Own {
                server,
                port,
                gate,
                store: None,
                guarded: false,
                folder,
            }),
        }
    }

    /// Starts the broker.
    pub(crate) fn start_now(&mut self) {
        let advertised = format!("tcp://{}", self.bootstrap);
        let own = self.own.as_mut().unwrap();
        let (storage, environment) = match &own.store {
            Some(store) => ("s3://tansu/", store.environment()),
            None => ("memory://tansu/", Vec::new()),
        };
        let program = require::tansu().unwrap().display().to_string();
        let args = [
            &program,
            "broker",
            "--silent",
            "--listener-url",
            &format!("tcp://127.0.0.1:{}", own.port),
            "--advertised-listener-url",
            &advertised,
            "--storage-engine",
            storage,
        ]
        .map(String::from);
        let guard = own.guarded.then(|| "--authentication".to_owned());
        let guard: Vec<String> = guard.into_iter().collect();
        let args = [&environment[..], &args, &guard].concat();
        let env = require::program("env").unwrap();
        let folder = own.folder.path();
        own.server = Some(Server::spawn("tansu", &env, &args, folder));
        let address = format!("127.0.0.1:{}", own.port);
        wait::until("tansu answers", || {
            let server = own.server.as_mut().unwrap();
            assert!(server.ended().is_none(), "tansu ended:\n{}", server.log());
            std::net::TcpStream::connect(&address).is_ok()
        });
    }

    /// `host:port`, as Kamailio and kcat are told.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The gate in front of it.
    pub(crate) fn gate(&self) -> &Gate {
        self.own.as_ref().unwrap().gate.as_ref().unwrap()
    }

    /// Holds the broker up: its connections stay, and nothing moves on them.
    pub(crate) fn freeze(&self) {
        self.server().signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.server().signal(Signal::CONT);
    }

    /// Kills a durable broker under load: what it has confirmed is in its store.
    pub(crate) fn kill(&mut self) {
        self.store().hold_between_batches();
        self.kill_idle();
        self.store().reopen();
    }

    /// Kills a durable broker that nobody publishes to.
    pub(crate) fn kill_idle(&mut self) {
        // It is gone for good before another one works in its folder.
        let mut server = self.own.as_mut().unwrap().server.take().unwrap();
        server.signal(Signal::KILL);
        server.wait();
    }

    fn store(&self) -> &ObjectStore {
        self.own.as_ref().unwrap().store.as_ref().unwrap()
    }

    fn server(&self) -> &Server {
        self.own.as_ref().unwrap().server.as_ref().unwrap()
    }

    /// A topic that no other test uses.
    pub(crate) fn topic(&self) -> String {
        let name = Self::name();
        self.create(&name);
        name
    }

    /// The name of a topic that no other test uses.
    pub(crate) fn name() -> String {
        let number = TOPICS.fetch_add(1, Ordering::Relaxed);
        format!("t{}-{number}", std::process::id())
    }

    /// Makes a topic, unless one that asked for it has made it meanwhile.
    pub(crate) fn create(&self, name: &str) {
        runtime().block_on(async {
            let client = topic::client(&self.bootstrap).await;
            let controller = client.controller_client().unwrap();
            let made = controller.create_topic(name, PARTITIONS, 1, CREATE_MS);
            match made.await {
                Ok(())
                | Err(Error::ServerError {
                    protocol_error: ProtocolError::TopicAlreadyExists,
                    ..
                }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        });
    }

    /// How many records of a topic a group has handled, as far as it has told the broker.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> usize {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", group)
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, PARTITIONS - 1);
        let told = consumer.committed_offsets(list, wait::watchdog()).unwrap();
        let offsets = told
            .elements()
            .into_iter()
            .map(|each| each.offset().to_raw());
        // One that was never told is below zero.
        let handled = offsets.filter_map(|offset| usize::try_from(offset?).ok());
        handled.sum()
    }

    /// A topic as the independent client sees it.
    pub(crate) fn records(&self, topic: &str) -> Topic {
        let is_durable = self.own.as_ref().is_some_and(|own| own.store.is_some());
        let wait_ms = if is_durable {
            STORE_WAIT_MS
        } else {
            MEMORY_WAIT_MS
        };
        Topic::new(&self.bootstrap, topic, wait_ms)
    }
}
