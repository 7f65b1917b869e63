//! The event interface without a network: names of events, sockets they go to, and what is sent.
#![forbid(unsafe_code)]

pub mod name;
pub mod notification;
pub mod socket;
pub mod subscription;
#[cfg(test)]
mod tests;
