//! What the kazoo module knows without a network: settings, JSON in json-c's dialect, what is added
//! to payloads, subscriptions, event route names, presence documents.
#![forbid(unsafe_code)]

pub mod cache;
pub mod counter;
pub mod encode;
pub mod headers;
pub mod json;
pub mod path;
pub mod payload;
pub mod presence;
pub mod route;
pub mod server;
pub mod settings;
pub mod subscription;
pub mod table;
pub mod target;
#[cfg(test)]
mod tests;

/// The longest routing key, exchange or queue name, in bytes: what a short string of AMQP holds.
pub const SHORT_BYTES_MAX: usize = 255;
