//! What Kamailio's processes order.

use super::Suspended;
use super::numbers::{NUMBERS_BYTES, Numbers, Reader, written};
use crate::frame::{Frame, TooLong, overhead};

/// A server that was not chosen by number: the first of the primary zone that is there.
pub const PRIMARY: u16 = 0;

/// A message to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The server by its number in the configuration, from 1; or [`PRIMARY`].
    pub server: u16,
    /// `Server-ID` is still to be written into the body, once the server is known.
    pub needs_server_id: bool,
    /// Where to.
    pub exchange: &'a [u8],
    /// At most 255 bytes.
    pub routing_key: &'a [u8],
    /// A JSON object.
    pub body: &'a [u8],
    /// `k=v;k2=v2`, empty for none.
    pub headers: &'a [u8],
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// A process, in front of its mailbox.
    Blocking {
        /// Its number.
        process: u32,
        /// The mailbox's generation.
        generation: u32,
    },
    /// A transaction.
    Async(Suspended),
}

/// A message that wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// `Server-ID` is still to be written into the body.
    pub needs_server_id: bool,
    /// Where to.
    pub exchange: &'a [u8],
    /// At most 255 bytes.
    pub routing_key: &'a [u8],
    /// A JSON object.
    pub body: &'a [u8],
    /// `k=v;k2=v2`, empty for none.
    pub headers: &'a [u8],
    /// What the answer's `Msg-ID` will be.
    pub msg_id: &'a [u8],
    /// When the waiter gives up, in [`monotonic_ms`](crate::clock::monotonic_ms).
    pub deadline_ms: u64,
    /// Who waits.
    pub waiter: Waiter,
}

/// What a Kamailio process tells the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order<'a> {
    /// A message to publish.
    Publish(Publish<'a>),
    /// A message that wants an answer.
    Query(Query<'a>),
}

/// Bytes an order adds to its texts, at the most.
pub const ORDER_OVERHEAD: usize = overhead(6) + NUMBERS_BYTES;

const PUBLISH: u16 = 1;
const QUERY: u16 = 2;

const BLOCKING: u16 = 0;
const ASYNC: u16 = 1;

impl<'a> Order<'a> {
    /// Calls `write` with the frame's parts.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        match self {
            Self::Publish(publish) => {
                let numbers = Numbers::default()
                    .u16(u16::from(publish.needs_server_id))
                    .u16(publish.server);
                let Publish {
                    exchange,
                    routing_key,
                    body,
                    headers,
                    ..
                } = *publish;
                let fields = [numbers.bytes(), exchange, routing_key, body, headers];
                written(PUBLISH, &fields, write)
            }
            Self::Query(query) => {
                let numbers = Numbers::default().u16(u16::from(query.needs_server_id));
                let numbers = match query.waiter {
                    Waiter::Blocking {
                        process,
                        generation,
                    } => numbers
                        .u16(BLOCKING)
                        .u64(query.deadline_ms)
                        .u32(process)
                        .u32(generation),
                    Waiter::Async(suspended) => {
                        suspended.write(numbers.u16(ASYNC).u64(query.deadline_ms))
                    }
                };
                let Query {
                    exchange,
                    routing_key,
                    body,
                    headers,
                    msg_id,
                    ..
                } = *query;
                let numbers = numbers.bytes();
                let fields = [numbers, exchange, routing_key, body, headers, msg_id];
                written(QUERY, &fields, write)
            }
        }
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        let (numbers, texts) = frame.fields().split_first()?;
        let mut numbers = Reader(numbers);
        let needs_server_id = numbers.u16()? != 0;
        let second = numbers.u16()?;
        match (frame.kind, texts) {
            (PUBLISH, &[exchange, routing_key, body, headers]) => Some(Self::Publish(Publish {
                server: second,
                needs_server_id,
                exchange,
                routing_key,
                body,
                headers,
            })),
            (QUERY, &[exchange, routing_key, body, headers, msg_id]) => {
                let deadline_ms = numbers.u64()?;
                let waiter = match second {
                    BLOCKING => Waiter::Blocking {
                        process: numbers.u32()?,
                        generation: numbers.u32()?,
                    },
                    ASYNC => Waiter::Async(Suspended::read(&mut numbers)?),
                    _ => return None,
                };
                Some(Self::Query(Query {
                    needs_server_id,
                    exchange,
                    routing_key,
                    body,
                    headers,
                    msg_id,
                    deadline_ms,
                    waiter,
                }))
            }
            _ => None,
        }
    }
}
