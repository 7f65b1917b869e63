//! A broker that speaks Kafka's protocol: tansu, on a port of its own, or the cluster that
//! `KAFKA_BOOTSTRAP` names.

use std::sync::atomic::{AtomicU32, Ordering};

use rskafka::client::error::{Error, ProtocolError};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::gate::Gate;
use crate::process::Server;
use crate::subscriber::runtime;
use crate::topic::{self, Topic};
use crate::{port, require, wait};

/// How long the broker may take to make a topic.
const CREATE_MS: i32 = 10_000;
const PARTITIONS: i32 = 3;

static TOPICS: AtomicU32 = AtomicU32::new(0);

/// A running broker.
pub(crate) struct Kafka {
    bootstrap: String,
    own: Option<Own>,
}

/// A broker of the test's own. It keeps its records in memory.
struct Own {
    server: Option<Server>,
    port: u16,
    gate: Option<Gate>,
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
                folder,
            }),
        }
    }

    /// Starts the broker.
    pub(crate) fn start_now(&mut self) {
        let advertised = format!("tcp://{}", self.bootstrap);
        let own = self.own.as_mut().unwrap();
        let args = [
            "broker",
            "--silent",
            "--listener-url",
            &format!("tcp://127.0.0.1:{}", own.port),
            "--advertised-listener-url",
            &advertised,
            "--storage-engine",
            "memory://tansu/",
        ]
        .map(String::from);
        let program = require::tansu().unwrap();
        let folder = own.folder.path();
        own.server = Some(Server::spawn("tansu", &program, &args, folder));
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

    /// Makes a topic.
    pub(crate) fn create(&self, name: &str) {
        runtime().block_on(async {
            let client = topic::client(&self.bootstrap).await;
            let controller = client.controller_client().unwrap();
            let made = controller.create_topic(name, PARTITIONS, 1, CREATE_MS);
            match made.await {
                // The client asked again, because the answer came late: names are used once.
                Ok(())
                | Err(Error::ServerError {
                    protocol_error: ProtocolError::TopicAlreadyExists,
                    ..
                }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        });
    }

    /// A topic as the independent client sees it.
    pub(crate) fn records(&self, topic: &str) -> Topic {
        Topic::new(&self.bootstrap, topic)
    }
}
