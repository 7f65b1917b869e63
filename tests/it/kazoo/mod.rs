//! The rules of `kazoo.so`, one file per subject.

mod ack;
mod async_failure;
mod async_query;
mod bad_argument;
mod bad_setting;
pub(crate) mod broker;
pub(crate) mod bus;
mod database;
mod engine;
mod event_content;
mod event_interface;
mod events;
mod exchange;
mod functions;
mod json;
mod json_function;
mod kemi;
mod lifecycle;
mod manual;
mod operations;
mod outage;
mod params;
mod peer;
mod presence;
mod query;
mod query_deadline;
mod subscribe;
mod subscription;
mod tls;
mod watcher;
mod workers;

crate::conformance::conformance!(crate::kazoo::peer::Peer);
