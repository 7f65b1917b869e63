//! The outside world: one folder per kind of peer, with the same file names in each. Network
//! crates are named only here.
//!
//! Adding a connector is one folder, one feature and one line in [`CONNECTORS`].
#![forbid(unsafe_code)]

#[cfg(feature = "kazoo")]
pub mod amqp;
#[cfg(feature = "evapi")]
pub mod evapi;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(any(feature = "kazoo", feature = "nats"))]
mod stream;
#[cfg(any(
    feature = "kazoo",
    feature = "evapi",
    feature = "kafka",
    feature = "nats"
))]
mod tls;

use crate::link::Link;
use std::fmt::Debug;
use std::pin::Pin;

/// How the engine starts a connector.
#[derive(Debug)]
pub struct Connector {
    /// The module's name.
    pub name: &'static str,
    /// Its thread takes the processor from nobody: a Kamailio process that rings for it goes on first.
    pub gives_way: bool,
    /// Runs it until it has drained. Errors are for settings that cannot be read; a lost peer is
    /// none.
    pub run: Run,
    /// What only its libraries can say of the settings, for connectors that have such libraries.
    pub check: Option<Check>,
}

/// See [`Connector::run`]: the link and the module's settings.
pub type Run = fn(Link, serde_json::Value) -> Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// See [`Connector::check`]: the module's settings; the mistakes in them, as sentences without secrets.
pub type Check = fn(serde_json::Value) -> Vec<String>;

/// All connectors of this build.
pub const CONNECTORS: &[Connector] = &[
    #[cfg(feature = "nats")]
    nats::CONNECTOR,
    #[cfg(feature = "evapi")]
    evapi::CONNECTOR,
    #[cfg(feature = "kafka")]
    kafka::EVENT_KAFKA,
    #[cfg(feature = "kafka")]
    kafka::KAFKA,
    #[cfg(feature = "kazoo")]
    amqp::CONNECTOR,
];
