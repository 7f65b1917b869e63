//! A message as it came, which may be an answer; and why there is none.

use super::numbers::{NUMBERS_BYTES, Numbers, Reader, written};
use crate::frame::{Frame, TooLong, overhead};

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// None came in time.
    Timeout = 1,
    /// No server of the primary zone was there.
    Unconnected = 2,
    /// The server did not take the message.
    Refused = 3,
    /// The answer was over `reply_size_max`.
    Oversized = 4,
    /// The engine that had sent the message died.
    Engine = 5,
    /// `async_queries_max` were waiting already.
    Crowded = 6,
}

impl Reason {
    /// The reason with that number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        [
            Self::Timeout,
            Self::Unconnected,
            Self::Refused,
            Self::Oversized,
            Self::Engine,
            Self::Crowded,
        ]
        .into_iter()
        .find(|reason| *reason as u16 == number)
    }

    /// As logs show it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Timeout => "no answer came in time",
            Self::Unconnected => "no server of the primary zone is connected",
            Self::Refused => "the server did not take the message",
            Self::Oversized => "the answer is over reply_size_max",
            Self::Engine => "the engine died while the answer was awaited",
            Self::Crowded => "async_queries_max queries are waiting for answers",
        }
    }
}

/// A message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// The server by its number in the configuration, from 1.
    pub server: u16,
    /// When, in seconds since 1970.
    pub received: u64,
    /// Any bytes. In the frame a NUL follows, for readers that want text to end with one.
    pub body: &'a [u8],
}

/// Bytes an answer in a mailbox adds to its body.
pub const REPLY_OVERHEAD: usize = overhead(3) + NUMBERS_BYTES + 1;

const REPLY: u16 = 1;

impl<'a> Arrived<'a> {
    /// Calls `write` with the parts of what is put into a mailbox.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        let numbers = Numbers::default().u16(self.server).u64(self.received);
        written(REPLY, &[numbers.bytes(), self.body, b"\0"], write)
    }

    /// Reads what a mailbox holds. None if it is something else.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(bytes)?;
        let (REPLY, &[numbers, body, _]) = (frame.kind, frame.fields()) else {
            return None;
        };
        let mut numbers = Reader(numbers);
        Some(Self {
            server: numbers.u16()?,
            received: numbers.u64()?,
            body,
        })
    }
}
