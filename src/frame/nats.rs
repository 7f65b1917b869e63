//! The frames of the NATS module.

use super::{Frame, Header, TooLong};

/// A message to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Where to, a valid subject without wildcards.
    pub subject: &'a [u8],
    /// Where an answer should go; empty for none.
    pub reply: &'a [u8],
    /// Any bytes.
    pub payload: &'a [u8],
}

/// Bytes a publish adds to its subject, reply and payload.
pub const PUBLISH_OVERHEAD: usize = super::overhead(3);

const PUBLISH: u16 = 1;

impl<'a> Publish<'a> {
    /// The header to write in front of subject, reply and payload.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn header(&self) -> Result<Header, TooLong> {
        Header::of(PUBLISH, &[self.subject, self.reply, self.payload])
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        match (frame.kind, frame.fields()) {
            (PUBLISH, [subject, reply, payload]) => Some(Self {
                subject,
                reply,
                payload,
            }),
            _ => None,
        }
    }
}

/// What an event worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message of the worker's subscription.
    Message {
        /// Where it was published to.
        subject: &'a [u8],
        /// Where an answer should go; empty for none.
        reply: &'a [u8],
        /// The header block as it came, empty for none.
        headers: &'a [u8],
        /// Any bytes.
        payload: &'a [u8],
    },
    /// Every connection is up; the server's address.
    Connected(&'a [u8]),
    /// A connection was lost; the server's address.
    Disconnected(&'a [u8]),
}

/// Bytes an event adds to its fields, at the most.
pub const EVENT_OVERHEAD: usize = super::overhead(5) + 1;

const MESSAGE: u16 = 1;
const CONNECTED: u16 = 2;
const DISCONNECTED: u16 = 3;

impl<'a> Event<'a> {
    /// The header to write in front of the event's fields, in their order above. Behind a message's
    /// payload comes a NUL, for readers that want text to end with one.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn header(&self) -> Result<Header, TooLong> {
        match self {
            Event::Message {
                subject,
                reply,
                headers,
                payload,
            } => Header::of(MESSAGE, &[*subject, *reply, *headers, *payload, b"\0"]),
            Event::Connected(server) => Header::of(CONNECTED, &[*server]),
            Event::Disconnected(server) => Header::of(DISCONNECTED, &[*server]),
        }
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        match (frame.kind, frame.fields()) {
            (MESSAGE, [subject, reply, headers, payload, _]) => Some(Self::Message {
                subject,
                reply,
                headers,
                payload,
            }),
            (CONNECTED, [server]) => Some(Self::Connected(server)),
            (DISCONNECTED, [server]) => Some(Self::Disconnected(server)),
            _ => None,
        }
    }
}
