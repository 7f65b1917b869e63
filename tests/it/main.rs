//! Integration tests: a real kamailio with the built modules, real servers, real SIP.
//!
//! The tests know sipbus only from outside: configuration files, SIP answers, RPC answers, and what
//! an independent client of NATS, RabbitMQ or the event socket receives. Each starts its own servers on ports it chose, in a folder
//! of its own, and waits on conditions, never for a time.
//!
//! - `SIPBUS_MODULES`: the folder of the modules under test (default `target/modules`)
//! - `KAMAILIO`: the tree of a Kamailio, installed or built, to test with instead of the system's
//! - `SIPBUS_REQUIRE=kamailio,evapi,nats,kazoo,rabbitmq,event_kafka,kafka_module,kafka,sipp,node,python3,package`: what is missing fails instead of being skipped
//! - `SIPBUS_WATCHDOG`: seconds after which waiting for something has failed (default 60)
//! - `SIPBUS_VALGRIND=1`: Kamailio runs under valgrind, and what that reports fails the test
//! - `SIPBUS_KEEP_LOGS=1`: print each server's log even where the test passed

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]
#![allow(
    clippy::print_stderr,
    reason = "reasons for skipping, counted duplicates"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "those bans protect the product: the harness needs threads and atomics of its own"
)]

mod arrived;
mod certificates;
mod config;
mod conformance;
mod evapi;
mod event_kafka;
mod events;
mod gate;
mod http;
mod kafka;
mod kamailio;
mod kazoo;
mod log;
mod manual;
mod memory;
mod mistake;
mod nats;
mod package;
mod port;
mod privilege;
mod process;
mod require;
mod rpc;
mod script;
mod server;
mod service;
mod sip;
mod sipp;
mod subscriber;
mod tally;
mod tls;
mod topic;
mod turn;
mod wait;
