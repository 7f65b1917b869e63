//! Where a message goes: a routing key, or `consumer://ID/key`, which also says through which
//! server. That is the form in which consumed messages name their sender.

use super::SHORT_BYTES_MAX;

const PREFIX: &[u8] = b"consumer://";

/// The exchange that answers go through.
pub const EXCHANGE: &str = "targeted";

/// The original has a queue for each of its channels, numbered from 0; we have one, named as the
/// second of those.
const CHANNEL: usize = 1;

/// The queue at server number `server` that answers to this host wait in.
#[must_use]
pub fn own_queue(hostname: &str, server: usize) -> String {
    format!("kamailio@{hostname}-<{server}-{CHANNEL}>")
}

/// The routing key that leads there through [`EXCHANGE`]: the `Server-ID` of what goes out.
#[must_use]
pub fn own_key(hostname: &str, server: usize) -> String {
    format!("kamailio@{hostname}-<{server}>-targeted-{CHANNEL}")
}

/// A routing key as a script gives it, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The server, counted from 1 over all lines of `amqp_connection`; 0 for any of the primary
    /// zone.
    pub server: u16,
    /// The routing key.
    pub key: &'a [u8],
}

/// Reads a routing key, for one of `servers` servers.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &[u8], servers: usize) -> Result<Target<'_>, &'static str> {
    let target = match text.strip_prefix(PREFIX) {
        Some(rest) => consumer(rest, servers)?,
        None => Target {
            server: 0,
            key: text,
        },
    };
    if target.key.len() > SHORT_BYTES_MAX {
        return Err("it is longer than 255 bytes");
    }
    Ok(target)
}

fn consumer(rest: &[u8], servers: usize) -> Result<Target<'_>, &'static str> {
    let mut parts = rest.splitn(2, |byte| *byte == b'/');
    let (Some(number), Some(key)) = (parts.next(), parts.next()) else {
        return Err("it must be consumer://ID/key");
    };
    let number = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse::<u16>().ok());
    match number {
        None => Err("the ID in consumer://ID/key must be a number"),
        Some(server) if server == 0 || usize::from(server) > servers => {
            Err("the ID in consumer://ID/key is no server's")
        }
        Some(server) => Ok(Target { server, key }),
    }
}

/// The `Server-ID` of a message that came from server number `server`, so that an answer goes back
/// through it.
#[must_use]
pub fn sender(server: usize, id: &[u8]) -> Vec<u8> {
    let mut sender = [PREFIX, server.to_string().as_bytes(), b"/"].concat();
    sender.extend_from_slice(id);
    sender
}
