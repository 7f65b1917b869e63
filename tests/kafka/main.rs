//! The Kafka connector against librdkafka's mock cluster, which can be told to fail in every way that
//! real clusters do. This program stands for Kamailio: it has the lanes and the event workers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a stand-in for processes needs threads"
)]

mod beside;
mod consume;
mod fault;
mod publish;
mod stand;
#[path = "../it/wait.rs"]
#[allow(dead_code, reason = "of its waits only one is used here")]
mod wait;
