//! The frames of the kazoo module: what Kamailio's processes order, what event workers are told, and
//! what lies in a mailbox.

use super::{Frame, Header, TooLong};

/// A server that was not chosen by number: the first of the primary zone that is there.
pub const PRIMARY: u16 = 0;

/// The subscription of messages that came over a targeted queue.
pub const TARGETED: u16 = u16::MAX;

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

/// A transaction that is suspended until an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Suspended {
    /// Its index.
    pub tindex: u32,
    /// Its label.
    pub tlabel: u32,
    /// The route for the answer, a number of the worker half's.
    pub ok: u32,
    /// The route for when there is none.
    pub err: u32,
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
pub const ORDER_OVERHEAD: usize = super::overhead(6) + NUMBERS_BYTES;

const NUMBERS_BYTES: usize = 32;

const PUBLISH: u16 = 1;
const QUERY: u16 = 2;

const BLOCKING: u16 = 0;
const ASYNC: u16 = 1;

/// The numbers of a frame, one after the other, in a field of its own.
#[derive(Debug, Default)]
struct Numbers {
    bytes: [u8; NUMBERS_BYTES],
    len: usize,
}

impl Numbers {
    fn add(mut self, bytes: &[u8]) -> Self {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
        self
    }

    fn u16(self, value: u16) -> Self {
        self.add(&value.to_ne_bytes())
    }

    fn u32(self, value: u32) -> Self {
        self.add(&value.to_ne_bytes())
    }

    fn u64(self, value: u64) -> Self {
        self.add(&value.to_ne_bytes())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Reads what [`Numbers`] wrote.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }
}

fn written<T>(
    kind: u16,
    fields: &[&[u8]],
    write: impl FnOnce(&[&[u8]]) -> T,
) -> Result<T, TooLong> {
    let header = Header::of(kind, fields)?;
    let mut parts = [&[][..]; super::FIELDS_MAX + 1];
    let mut count = 0;
    let all = std::iter::once(header.bytes()).chain(fields.iter().copied());
    for (part, bytes) in parts.iter_mut().zip(all) {
        *part = bytes;
        count += 1;
    }
    Ok(write(parts.get(..count).unwrap_or_default()))
}

impl Suspended {
    fn write(&self, numbers: Numbers) -> Numbers {
        let numbers = numbers.u32(self.tindex).u32(self.tlabel);
        numbers.u32(self.ok).u32(self.err)
    }

    fn read(numbers: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            tindex: numbers.u32()?,
            tlabel: numbers.u32()?,
            ok: numbers.u32()?,
            err: numbers.u32()?,
        })
    }
}

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
pub const EVENT_OVERHEAD: usize = super::overhead(4) + NUMBERS_BYTES + 1;

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

/// Bytes an answer in a mailbox adds to its body.
pub const REPLY_OVERHEAD: usize = super::overhead(3) + NUMBERS_BYTES + 1;

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
