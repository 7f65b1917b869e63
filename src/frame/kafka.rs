//! The frames of the Kafka modules.

use super::{Frame, Header, TooLong};

/// Where a message is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// A line of the settings' targets, by its number.
    Target(u16),
    /// A Kafka socket, as text; its producer is made when it is first used.
    Socket(&'a [u8]),
}

/// A message to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Where to.
    pub to: To<'a>,
    /// The record's key; none is not the same as an empty one.
    pub key: Option<&'a [u8]>,
    /// Any bytes.
    pub payload: &'a [u8],
    /// A header block, see `kafka::header`.
    pub headers: &'a [u8],
    /// The number that comes back in the delivery report; none for no report.
    pub report: Option<u32>,
}

/// Bytes a publish adds to socket, key, payload and headers.
pub const PUBLISH_OVERHEAD: usize = super::overhead(5) + PUBLISH_NUMBERS;

const PUBLISH: u16 = 1;
/// Target, report + 1, 1 for a key.
const PUBLISH_NUMBERS: usize = 2 + 4 + 1;
/// The target that stands for a socket.
const SOCKET: u16 = u16::MAX;

impl<'a> Publish<'a> {
    /// Calls `write` with the frame's parts.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        let (target, socket) = match self.to {
            To::Target(target) => (target, &[][..]),
            To::Socket(socket) => (SOCKET, socket),
        };
        let report = self.report.map_or(0, |route| route.wrapping_add(1));
        let mut numbers = [0; PUBLISH_NUMBERS];
        numbers[..2].copy_from_slice(&target.to_ne_bytes());
        numbers[2..6].copy_from_slice(&report.to_ne_bytes());
        numbers[6] = u8::from(self.key.is_some());
        let key = self.key.unwrap_or_default();
        let fields = [&numbers[..], socket, key, self.headers, self.payload];
        let header = Header::of(PUBLISH, &fields)?;
        let [numbers, socket, key, headers, payload] = fields;
        Ok(write(&[
            header.bytes(),
            numbers,
            socket,
            key,
            headers,
            payload,
        ]))
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        let (PUBLISH, [numbers, socket, key, headers, payload]) = (frame.kind, frame.fields())
        else {
            return None;
        };
        let (target, rest) = numbers.split_first_chunk()?;
        let (report, rest) = rest.split_first_chunk()?;
        let [keyed] = *rest else { return None };
        let target = u16::from_ne_bytes(*target);
        Some(Self {
            to: if target == SOCKET {
                To::Socket(socket)
            } else {
                To::Target(target)
            },
            key: (keyed == 1).then_some(*key),
            payload,
            headers,
            report: u32::from_ne_bytes(*report).checked_sub(1),
        })
    }
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition; -1 if it is not known.
    pub partition: i32,
    /// The offset in it; -1 if it is not known.
    pub offset: i64,
}

/// What an event worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A record of one of the worker's partitions.
    Message {
        /// The line of the settings' consumers, by its number.
        consumer: u16,
        /// Where it lies.
        place: Place,
        /// Its topic.
        topic: &'a [u8],
        /// Its key.
        key: Option<&'a [u8]>,
        /// A header block, see `kafka::header`.
        headers: &'a [u8],
        /// Any bytes. In the frame a NUL follows, for readers that want text to end with one.
        payload: &'a [u8],
    },
    /// What became of a message that was published with a report route.
    Report {
        /// The line of the settings' targets it was for, by its number.
        target: u16,
        /// The number that came with the message.
        route: u32,
        /// Whether the cluster has it.
        delivered: bool,
        /// Where it lies, if it was delivered.
        place: Place,
        /// Its key.
        key: Option<&'a [u8]>,
        /// Why it was not delivered; empty otherwise.
        error: &'a [u8],
        /// Its payload. In the frame a NUL follows.
        payload: &'a [u8],
    },
}

/// Bytes an event adds to its fields, at the most.
pub const EVENT_OVERHEAD: usize = super::overhead(6) + EVENT_NUMBERS + 1;

const MESSAGE: u16 = 1;
const REPORT: u16 = 2;
/// Consumer or target, route, partition, offset, 1 for a key, 1 for delivered.
const EVENT_NUMBERS: usize = 2 + 4 + 4 + 8 + 1 + 1;

impl<'a> Event<'a> {
    /// Calls `write` with the frame's parts.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        match *self {
            Self::Message {
                consumer,
                place,
                topic,
                key,
                headers,
                payload,
            } => {
                let numbers = numbers(consumer, 0, place, key.is_some(), true);
                let key = key.unwrap_or_default();
                let header = Header::of(MESSAGE, &[&numbers, topic, key, headers, payload, b"\0"])?;
                let bytes = header.bytes();
                Ok(write(&[
                    bytes, &numbers, topic, key, headers, payload, b"\0",
                ]))
            }
            Self::Report {
                target,
                route,
                delivered,
                place,
                key,
                error,
                payload,
            } => {
                let numbers = numbers(target, route, place, key.is_some(), delivered);
                let key = key.unwrap_or_default();
                let header = Header::of(REPORT, &[&numbers, key, error, payload, b"\0"])?;
                Ok(write(&[
                    header.bytes(),
                    &numbers,
                    key,
                    error,
                    payload,
                    b"\0",
                ]))
            }
        }
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        let (numbers, fields) = frame.fields().split_first()?;
        let (index, rest) = numbers.split_first_chunk()?;
        let (route, rest) = rest.split_first_chunk()?;
        let (partition, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let [keyed, delivered] = *rest else {
            return None;
        };
        let index = u16::from_ne_bytes(*index);
        let place = Place {
            partition: i32::from_ne_bytes(*partition),
            offset: i64::from_ne_bytes(*offset),
        };
        Some(match (frame.kind, fields) {
            (MESSAGE, [topic, key, headers, payload, _]) => Self::Message {
                consumer: index,
                place,
                topic,
                key: (keyed == 1).then_some(*key),
                headers,
                payload,
            },
            (REPORT, [key, error, payload, _]) => Self::Report {
                target: index,
                route: u32::from_ne_bytes(*route),
                delivered: delivered == 1,
                place,
                key: (keyed == 1).then_some(*key),
                error,
                payload,
            },
            _ => return None,
        })
    }
}

fn numbers(
    index: u16,
    route: u32,
    place: Place,
    keyed: bool,
    delivered: bool,
) -> [u8; EVENT_NUMBERS] {
    let mut bytes = [0; EVENT_NUMBERS];
    bytes[..2].copy_from_slice(&index.to_ne_bytes());
    bytes[2..6].copy_from_slice(&route.to_ne_bytes());
    bytes[6..10].copy_from_slice(&place.partition.to_ne_bytes());
    bytes[10..18].copy_from_slice(&place.offset.to_ne_bytes());
    bytes[18] = u8::from(keyed);
    bytes[19] = u8::from(delivered);
    bytes
}
