//! The rules of `nats.so`, one file per subject.

mod backlog;
mod bad_argument;
mod bad_setting;
mod connection;
mod consume;
mod credentials;
mod engine;
mod functions;
mod kemi;
mod lifecycle;
mod lookup;
mod manual;
mod operations;
mod params;
mod payload;
mod peer;
mod queue_group;
mod tls;

crate::conformance::conformance!(crate::nats::peer::Peer);
