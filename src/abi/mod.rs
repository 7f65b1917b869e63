//! The C ABI: what the shims call. `include/sipbus.h` is generated from this folder.
//!
//! Functions that a script can call bear the script's name; all others are `sipbus_<noun>_<verb>`.
//! Each says in which phase of a process's life it may be called and whether it can block. All
//! belong to the main thread of a Kamailio process: state is kept per thread, so a call from
//! another thread finds none and fails.
#![allow(
    unsafe_code,
    reason = "one of the three folders that may; see SAFETY.md"
)]

mod check;
pub mod evapi;
pub mod evapi_client;
mod evapi_done;
pub mod evapi_event;
pub mod event;
pub mod event_kafka;
pub mod event_subscribe;
mod event_table;
mod event_worker;
mod guard;
mod instance;
pub mod kafka;
pub mod kafka_event;
pub mod kafka_stats;
pub mod kazoo;
pub mod kazoo_event;
pub mod kazoo_json;
pub mod kazoo_presence;
pub mod kazoo_query;
pub mod kazoo_status;
pub mod kazoo_subscribe;
pub mod lifecycle;
pub mod nats;
pub mod nats_event;
pub mod operation;
mod outbox;
pub mod renewal;
mod slice;
mod status;
mod title;

pub use slice::Slice;
