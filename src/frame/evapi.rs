//! The frames of the evapi module.

use super::{Frame, Header, TooLong};

/// Which connection: its index, and a number that no other connection ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// `$evapi(conidx)`.
    pub index: u32,
    /// The client's port; 0 if it has none.
    pub port: u16,
    /// The number.
    pub generation: u64,
}

/// Bytes of an encoded [`Connection`].
pub const CONNECTION_BYTES: usize = 14;

impl Connection {
    /// As it is in frames.
    #[must_use]
    pub fn encode(&self) -> [u8; CONNECTION_BYTES] {
        let mut bytes = [0; CONNECTION_BYTES];
        bytes[..4].copy_from_slice(&self.index.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.port.to_ne_bytes());
        bytes[6..].copy_from_slice(&self.generation.to_ne_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (index, rest) = bytes.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        Some(Self {
            index: u32::from_ne_bytes(*index),
            port: u16::from_ne_bytes(*port),
            generation: u64::from_ne_bytes(rest.try_into().ok()?),
        })
    }
}

/// Who gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// Every client.
    All,
    /// Every client with that tag.
    Tagged(&'a [u8]),
    /// The first client with that tag.
    First(&'a [u8]),
}

/// What a Kamailio process tells the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order<'a> {
    /// A message for clients.
    Relay(To<'a>, &'a [u8]),
    /// The connection-new route of this client has ended: it takes part from now on.
    Admit(Connection),
    /// This client is to be closed.
    Close(Connection),
    /// This client is called so from now on.
    Tag(Connection, &'a [u8]),
}

const RELAY: u16 = 1;
const MULTICAST: u16 = 2;
const UNICAST: u16 = 3;
const ADMIT: u16 = 4;
const CLOSE: u16 = 5;
const TAG: u16 = 6;

impl<'a> Order<'a> {
    /// Calls `write` with the frame's parts.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn write<T>(&self, write: impl FnOnce(&[&[u8]]) -> T) -> Result<T, TooLong> {
        let encoded = match self {
            Self::Admit(connection) | Self::Close(connection) | Self::Tag(connection, _) => {
                connection.encode()
            }
            Self::Relay(..) => [0; CONNECTION_BYTES],
        };
        let (kind, first, second): (_, &[u8], Option<&[u8]>) = match *self {
            Self::Relay(To::All, data) => (RELAY, data, None),
            Self::Relay(To::Tagged(tag), data) => (MULTICAST, tag, Some(data)),
            Self::Relay(To::First(tag), data) => (UNICAST, tag, Some(data)),
            Self::Admit(_) => (ADMIT, &encoded, None),
            Self::Close(_) => (CLOSE, &encoded, None),
            Self::Tag(_, tag) => (TAG, &encoded, Some(tag)),
        };
        Ok(match second {
            None => {
                let header = Header::of(kind, &[first])?;
                write(&[header.bytes(), first])
            }
            Some(second) => {
                let header = Header::of(kind, &[first, second])?;
                write(&[header.bytes(), first, second])
            }
        })
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        Some(match (frame.kind, frame.fields()) {
            (RELAY, [data]) => Self::Relay(To::All, data),
            (MULTICAST, [tag, data]) => Self::Relay(To::Tagged(tag), data),
            (UNICAST, [tag, data]) => Self::Relay(To::First(tag), data),
            (ADMIT, [connection]) => Self::Admit(Connection::decode(connection)?),
            (CLOSE, [connection]) => Self::Close(Connection::decode(connection)?),
            (TAG, [connection, tag]) => Self::Tag(Connection::decode(connection)?, tag),
            _ => return None,
        })
    }
}

/// What happened with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// It is there; nothing goes in or out until its route has ended.
    New,
    /// It sent this. In the frame a NUL follows, for readers that want text to end with one.
    Message(&'a [u8]),
    /// It is gone; nothing comes after this.
    Closed,
}

/// What an event worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Whose.
    pub connection: Connection,
    /// How many orders for the connection were obeyed when the event was written.
    pub orders: u64,
    /// The client's address.
    pub address: &'a [u8],
    /// Its tag when the event was written.
    pub tag: &'a [u8],
    /// What.
    pub what: What<'a>,
}

/// Bytes that an event adds to address, tag and message, at the most.
pub const EVENT_OVERHEAD: usize = super::overhead(5) + NUMBERS_BYTES + 1;

const NUMBERS_BYTES: usize = CONNECTION_BYTES + 8;

const NEW: u16 = 1;
const MESSAGE: u16 = 2;
const CLOSED: u16 = 3;

impl<'a> Event<'a> {
    /// What to write in front of the fields of [`fields`](Self::fields).
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn header(&self, fields: &[&[u8]; 5]) -> Result<Header, TooLong> {
        let kind = match self.what {
            What::New => NEW,
            What::Message(_) => MESSAGE,
            What::Closed => CLOSED,
        };
        Header::of(kind, fields)
    }

    /// The first field.
    #[must_use]
    pub fn numbers(&self) -> [u8; NUMBERS_BYTES] {
        let mut bytes = [0; NUMBERS_BYTES];
        let (connection, orders) = bytes.split_at_mut(CONNECTION_BYTES);
        connection.copy_from_slice(&self.connection.encode());
        orders.copy_from_slice(&self.orders.to_ne_bytes());
        bytes
    }

    /// The fields, of which `numbers` is the first.
    #[must_use]
    pub fn fields<'b>(&'b self, numbers: &'b [u8]) -> [&'b [u8]; 5] {
        let message = match self.what {
            What::Message(message) => message,
            What::New | What::Closed => &[],
        };
        [numbers, self.address, self.tag, message, b"\0"]
    }

    /// Reads one. None if the frame is something else.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(frame)?;
        let [numbers, address, tag, message, _] = *frame.fields() else {
            return None;
        };
        let (connection, orders) = numbers.split_at_checked(CONNECTION_BYTES)?;
        Some(Self {
            connection: Connection::decode(connection)?,
            orders: u64::from_ne_bytes(orders.try_into().ok()?),
            address,
            tag,
            what: match frame.kind {
                NEW => What::New,
                MESSAGE => What::Message(message),
                CLOSED => What::Closed,
                _ => return None,
            },
        })
    }
}
