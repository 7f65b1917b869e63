//! What event workers are told.

use super::numbers::{NUMBERS_BYTES, Numbers, Reader, written};
use super::{Arrived, Reason, Suspended};
use crate::frame::{Frame, TooLong, overhead};

/// The subscription of messages that came over a targeted queue.
pub const TARGETED: u16 = u16::MAX;

/// What an event worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message that nobody waits for.
    Message {
        /// By its place among the subscriptions, or [`TARGETED`].
        subscription: u16,
        /// Its routing key.
        routing_key: &'a [u8],
        /// The message.
        message: Arrived<'a>,
    },
    /// The answer for a transaction.
    Answer(Suspended, Arrived<'a>),
    /// There is none.
    Failed(Suspended, Reason),
    /// A connection came or went.
    Connection {
        /// It came.
        open: bool,
        /// The server's host.
        host: &'a [u8],
        /// The server's zone.
        zone: &'a [u8],
    },
}

/// Bytes an event adds to its texts, at the most.
pub const EVENT_OVERHEAD: usize = overhead(4) + NUMBERS_BYTES + 1;

const MESSAGE: u16 = 1;
const ANSWER: u16 = 2;
const FAILED: u16 = 3;
const CONNECTION: u16 = 4;

impl<'a> Event<'a> {
    /// Calls `write` with the frame's parts.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        match *self {
            Self::Message {
                subscription,
                routing_key,
                message,
            } => {
                let numbers = Numbers::default().u16(subscription).u16(message.server);
                let numbers = numbers.u64(message.received);
                let fields = [numbers.bytes(), routing_key, message.body, b"\0"];
                written(MESSAGE, &fields, write)
            }
            Self::Answer(suspended, message) => {
                let numbers = Numbers::default().u16(0).u16(message.server);
                let numbers = suspended.write(numbers.u64(message.received));
                written(ANSWER, &[numbers.bytes(), message.body, b"\0"], write)
            }
            Self::Failed(suspended, reason) => {
                let numbers = Numbers::default().u16(0).u16(reason as u16);
                let numbers = suspended.write(numbers.u64(0));
                written(FAILED, &[numbers.bytes()], write)
            }
            Self::Connection { open, host, zone } => {
                let numbers = Numbers::default().u16(u16::from(open)).u16(0).u64(0);
                written(CONNECTION, &[numbers.bytes(), host, zone], write)
            }
        }
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        let (numbers, texts) = frame.fields().split_first()?;
        let mut numbers = Reader(numbers);
        let (first, second, received) = (numbers.u16()?, numbers.u16()?, numbers.u64()?);
        let message = |body| Arrived {
            server: second,
            received,
            body,
        };
        Some(match (frame.kind, texts) {
            (MESSAGE, &[routing_key, body, _]) => Self::Message {
                subscription: first,
                routing_key,
                message: message(body),
            },
            (ANSWER, &[body, _]) => Self::Answer(Suspended::read(&mut numbers)?, message(body)),
            (FAILED, []) => {
                let reason = Reason::from_number(second)?;
                Self::Failed(Suspended::read(&mut numbers)?, reason)
            }
            (CONNECTION, &[host, zone]) => Self::Connection {
                open: first != 0,
                host,
                zone,
            },
            _ => return None,
        })
    }
}
