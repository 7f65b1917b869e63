//! What the Kafka modules (event_kafka and kafka) know without a network: settings, sockets,
//! properties, route names, headers.
#![forbid(unsafe_code)]

pub mod consume;
pub mod counter;
pub mod header;
pub mod property;
pub mod route;
pub mod settings;
pub mod socket;
#[cfg(test)]
mod tests;
mod topic;
