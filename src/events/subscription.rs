//! A line of the parameter `event_subscription`: an event and where it goes.

use super::name;
use super::socket::Socket;
use crate::kafka::property::{IN_SOCKETS, redacted};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The event's name.
    pub event: String,
    /// Where it goes.
    pub socket: Socket,
}

impl Subscription {
    /// Reads `EVENT socket`.
    ///
    /// # Errors
    /// What is wrong, in one sentence without secrets.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let Some((event, socket)) = line.split_once(char::is_whitespace) else {
            return Err("it must be an event and a socket, with a blank between".to_owned());
        };
        // It may be the socket, where the two were mixed up.
        let shown = redacted(event, IN_SOCKETS);
        name::check(event.as_bytes()).map_err(|why| format!("the event \"{shown}\" {why}"))?;
        Ok(Self {
            event: event.to_owned(),
            socket: Socket::parse(socket.trim_start())?,
        })
    }
}
