//! What a client sends: its messages go to its event worker's inbox.
//!
//! While the inbox is full nothing is read, so TCP holds this client back; nothing is dropped here.

use super::client::{Client, End};
use super::presence::Presence;
use crate::evapi::counter::connector;
use crate::evapi::figure;
use crate::evapi::netstring::{Found, Parser};
use crate::evapi::settings::SECRET_BYTES_MAX;
use crate::frame::evapi::What;
use crate::link::Inbound;
use bytes::{Buf, BytesMut};
use std::fmt;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes a read asks for.
const READ_BYTES: usize = 64 * 1024;

/// What a client's bytes come from.
pub(super) type Reader = Box<dyn AsyncRead + Unpin>;

/// Why nothing more is taken from a client.
#[derive(Debug)]
pub(super) enum Over {
    /// It has ended its side, and may still read.
    Left,
    /// This side ends it.
    Closed(End),
    /// It sends more than is allowed.
    TooLong,
    /// The connection is of no use any more.
    Lost(String),
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it closed the connection"),
            Self::Closed(end) => write!(f, "it was closed: {end:?}"),
            Self::TooLong => f.write_str("its message is too long"),
            Self::Lost(why) => f.write_str(why),
        }
    }
}

/// Runs until the client is gone or to be closed; says why.
pub(super) async fn run(
    presence: &Presence,
    client: &Client,
    reader: &mut Reader,
    buffer: BytesMut,
) -> Over {
    let mut consumer = Consumer {
        presence,
        client,
        parser: Parser::new(presence.settings.frame_bytes_max),
        buffer,
        fresh: presence.settings.secret.is_some(),
        frames: 0,
        bytes: 0,
        garbage: 0,
    };
    let consume = async {
        // What came together with the secret.
        let mut understood = consumer.understand().await;
        loop {
            if let Err(why) = understood {
                return why;
            }
            understood = match consumer.read(reader).await {
                Ok(()) => consumer.understand().await,
                Err(why) => Err(why),
            };
        }
    };
    tokio::select! {
        why = consume => why,
        end = client.ended() => Over::Closed(end),
    }
}

struct Consumer<'a> {
    presence: &'a Presence,
    client: &'a Client,
    parser: Parser,
    buffer: BytesMut,
    /// Nothing but line ends has come behind the secret.
    fresh: bool,
    frames: u64,
    bytes: u64,
    garbage: u64,
}

impl Consumer<'_> {
    async fn read(&mut self, reader: &mut Reader) -> Result<(), Over> {
        self.buffer.reserve(READ_BYTES);
        match reader.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Over::Left),
            Ok(count) => {
                self.bytes += count as u64;
                self.presence
                    .figure(self.client, figure::BYTES_IN, self.bytes);
                Ok(())
            }
            Err(error) => Err(Over::Lost(error.to_string())),
        }
    }

    /// Hands on every whole message in the buffer.
    async fn understand(&mut self) -> Result<(), Over> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let understood = if self.presence.settings.netstrings {
            self.netstrings().await
        } else {
            self.bare().await
        };
        self.presence
            .figure(self.client, figure::FRAMES_IN, self.frames);
        understood
    }

    /// Without framing, what one read gives is a message, as far as it is not over the limit.
    async fn bare(&mut self) -> Result<(), Over> {
        if self.fresh {
            // Line ends belong to the secret, however they were split.
            let ends = self
                .buffer
                .iter()
                .take_while(|b| matches!(b, b'\r' | b'\n'));
            self.buffer.advance(ends.count());
            self.fresh = self.buffer.is_empty();
        }
        let most = self.presence.settings.frame_bytes_max;
        while !self.buffer.is_empty() {
            let message = self.buffer.split_to(self.buffer.len().min(most));
            self.frames += 1;
            if let Some(inbox) = self.presence.inbox_for_message(self.client) {
                let mut inbound = inbox.lock().await;
                let what = What::Message(&message);
                self.presence.stage(&mut inbound, self.client, what).await;
                inbound.deliver();
            }
        }
        Ok(())
    }

    async fn netstrings(&mut self) -> Result<(), Over> {
        let spread = self.presence.settings.spread;
        let mut held: Option<tokio::sync::MutexGuard<'_, Inbound>> = None;
        let mut at = 0;
        let ended = loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            match self.parser.next(rest) {
                Found::Frame { start, end, taken } => {
                    if held.is_none() || spread {
                        deliver(&mut held);
                        let Some(inbox) = self.presence.inbox_for_message(self.client) else {
                            break Err(Over::Lost("there is no worker".to_owned()));
                        };
                        held = Some(inbox.lock().await);
                    }
                    let message = rest.get(start..end).unwrap_or_default();
                    if let Some(inbound) = &mut held {
                        let what = What::Message(message);
                        self.presence.stage(inbound, self.client, what).await;
                    }
                    self.frames += 1;
                    at += taken;
                }
                Found::Blank(count) => at += count,
                Found::Garbage(count) => {
                    at += count;
                    self.garbage(count);
                }
                Found::More => break Ok(()),
                Found::TooLong => {
                    let max = self.presence.settings.frame_bytes_max;
                    let name = self.client.name();
                    log::error!(
                        "evapi: {name} announces a message over frame_size_max = {max}: closing it"
                    );
                    break Err(Over::TooLong);
                }
            }
        };
        deliver(&mut held);
        self.buffer.advance(at);
        ended
    }

    fn garbage(&mut self, count: usize) {
        if self.garbage == 0 {
            let name = self.client.name();
            log::warn!("evapi: {name} sends what is no netstring: it is skipped");
        }
        self.garbage += count as u64;
        self.presence.count(connector::GARBAGE, count as u64);
    }
}

fn deliver(held: &mut Option<tokio::sync::MutexGuard<'_, Inbound>>) {
    if let Some(mut inbound) = held.take() {
        inbound.deliver();
    }
}

/// Waits for the first message of a client, which must be the secret.
pub(super) async fn secret(
    reader: &mut Reader,
    buffer: &mut BytesMut,
    secret: &[u8],
    netstrings: bool,
) -> Result<(), String> {
    let mut parser = Parser::new(SECRET_BYTES_MAX);
    loop {
        if !netstrings {
            if let Some(shown) = buffer.get(..secret.len()) {
                if !is_equal(shown, secret) {
                    return Err("it does not know shared_secret".to_owned());
                }
                buffer.advance(secret.len());
                return Ok(());
            }
        } else {
            match parser.next(buffer) {
                Found::Frame { start, end, taken } => {
                    let shown = buffer.get(start..end).unwrap_or_default();
                    if !is_equal(shown, secret) {
                        return Err("it does not know shared_secret".to_owned());
                    }
                    buffer.advance(taken);
                    return Ok(());
                }
                Found::Blank(count) => {
                    buffer.advance(count);
                    continue;
                }
                Found::More => {}
                Found::Garbage(_) | Found::TooLong => {
                    return Err("it does not begin with shared_secret".to_owned());
                }
            }
        }
        if reader.read_buf(buffer).await.is_ok_and(|count| count > 0) {
            continue;
        }
        return Err("it left without showing shared_secret".to_owned());
    }
}

/// Takes the same time wherever the difference is.
fn is_equal(shown: &[u8], secret: &[u8]) -> bool {
    let pairs = shown.iter().zip(secret);
    let difference = pairs.fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    shown.len() == secret.len() && difference == 0
}
