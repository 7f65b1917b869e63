//! What the NATS module knows without a network: settings, subjects, route names, headers.
#![forbid(unsafe_code)]

pub mod counter;
pub mod credentials;
pub mod header;
pub mod route;
pub mod settings;
pub mod subject;
#[cfg(test)]
mod tests;
pub mod url;
