//! AMQP 0-9-1 as RabbitMQ speaks it: frames, and the methods that the server sends.
//!
//! ```text
//!  type: u8 | channel: u16 | size: u32 | payload | 0xCE
//! ```

/// The code of an operator who closes a connection, or stops the server: no message's fault.
pub(super) const CONNECTION_FORCED: u16 = 320;

/// The code for an exchange or a queue that is not there.
pub(super) const NOT_FOUND: u16 = 404;

/// Bytes a frame adds to its payload.
pub(super) const FRAME_OVERHEAD: usize = 8;

/// The smallest frame_max a server may ask for; what frames are bounded by before it has.
pub(super) const FRAME_MIN: usize = 4096;

pub(super) const FRAME_END: u8 = 0xCE;
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// Numbers of the methods that are used: class, then method.
pub(super) mod method {
    macro_rules! methods {
        ($($name:ident = $class:literal $method:literal;)*) => {
            $(pub(in super::super) const $name: u32 = ($class << 16) | $method;)*
        };
    }
    methods! {
        CONNECTION_START = 10 10;
        CONNECTION_START_OK = 10 11;
        CONNECTION_TUNE = 10 30;
        CONNECTION_TUNE_OK = 10 31;
        CONNECTION_OPEN = 10 40;
        CONNECTION_OPEN_OK = 10 41;
        CONNECTION_CLOSE = 10 50;
        CONNECTION_CLOSE_OK = 10 51;
        CONNECTION_BLOCKED = 10 60;
        CONNECTION_UNBLOCKED = 10 61;
        CHANNEL_OPEN = 20 10;
        CHANNEL_OPEN_OK = 20 11;
        CHANNEL_FLOW = 20 20;
        CHANNEL_FLOW_OK = 20 21;
        CHANNEL_CLOSE = 20 40;
        CHANNEL_CLOSE_OK = 20 41;
        EXCHANGE_DECLARE = 40 10;
        EXCHANGE_DECLARE_OK = 40 11;
        EXCHANGE_BIND = 40 30;
        QUEUE_DECLARE = 50 10;
        QUEUE_DECLARE_OK = 50 11;
        QUEUE_BIND = 50 20;
        BASIC_QOS = 60 10;
        BASIC_CONSUME = 60 20;
        BASIC_CONSUME_OK = 60 21;
        BASIC_CANCEL = 60 30;
        BASIC_CANCEL_OK = 60 31;
        BASIC_PUBLISH = 60 40;
        BASIC_DELIVER = 60 60;
        BASIC_ACK = 60 80;
        BASIC_NACK = 60 120;
        CONFIRM_SELECT = 85 10;
        CONFIRM_SELECT_OK = 85 11;
    }
}

/// A frame from the server, in the read buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Method(Method<'a>),
    /// The size of the content that follows, in bytes.
    Header(u64),
    Body(&'a [u8]),
    Heartbeat,
}

/// A method from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method<'a> {
    /// Its log-in mechanisms.
    Start(&'a [u8]),
    Tune {
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    },
    ConnectionClose(Closing<'a>),
    ChannelClose(Closing<'a>),
    Blocked(&'a [u8]),
    Unblocked,
    /// Whether content may be sent.
    Flow(bool),
    /// The queue's name.
    QueueDeclared(&'a [u8]),
    /// The server ends a consumer.
    Cancel,
    Deliver(Deliver<'a>),
    Confirm {
        tag: u64,
        multiple: bool,
        /// The server has it; else it could not take it.
        taken: bool,
    },
    /// Another, by its number: an answer without content of interest.
    Other(u32),
}

/// Why the server closes a connection or a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing<'a> {
    pub(super) code: u16,
    pub(super) text: &'a [u8],
}

impl Closing<'_> {
    /// For people.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.code, String::from_utf8_lossy(self.text))
    }
}

/// What comes in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deliver<'a> {
    pub(super) tag: u64,
    pub(super) redelivered: bool,
    pub(super) routing_key: &'a [u8],
}

/// Reads the values of a method.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.fixed().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.fixed().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes)
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.bytes(usize::from(len))
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.bytes(usize::try_from(len).ok()?)
    }
}

/// Reads the next frame: its channel, itself, and its length. None if it is not whole yet.
///
/// # Errors
/// What no AMQP server sends, or more than `frame_max`.
pub(super) fn parse(
    buffer: &[u8],
    frame_max: usize,
) -> Result<Option<(u16, Frame<'_>, usize)>, String> {
    let mut reader = Reader(buffer);
    let head = (|| Some((reader.u8()?, reader.u16()?, reader.u32()?)))();
    let Some((kind, channel, size)) = head else {
        // The answer to a greeting it does not like is its own greeting.
        return if buffer.starts_with(b"AMQP") {
            Err("it does not speak AMQP 0-9-1".to_owned())
        } else {
            Ok(None)
        };
    };
    if !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) {
        return Err("it does not speak AMQP 0-9-1".to_owned());
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size.saturating_add(FRAME_OVERHEAD) > frame_max {
        return Err(format!("it sent a frame of {size} bytes, over the limit"));
    }
    let Some(payload) = reader.bytes(size) else {
        return Ok(None);
    };
    let Some(end) = reader.u8() else {
        return Ok(None);
    };
    if end != FRAME_END {
        return Err("it sent a frame without its end".to_owned());
    }
    let mut payload = Reader(payload);
    let frame = match kind {
        METHOD => read_method(&mut payload).map(Frame::Method),
        HEADER => read_header(&mut payload).map(Frame::Header),
        BODY => Some(Frame::Body(payload.0)),
        _ => Some(Frame::Heartbeat),
    };
    let frame = frame.ok_or_else(|| "it sent a frame that ends too early".to_owned())?;
    Ok(Some((channel, frame, size + FRAME_OVERHEAD)))
}

fn read_header(payload: &mut Reader<'_>) -> Option<u64> {
    let (_class, _weight) = (payload.u16()?, payload.u16()?);
    // The properties behind the size are of no interest.
    payload.u64()
}

fn read_method<'a>(payload: &mut Reader<'a>) -> Option<Method<'a>> {
    let number = payload.u32()?;
    Some(match number {
        method::CONNECTION_START => {
            let (_version, _properties) = (payload.u16()?, payload.long()?);
            Method::Start(payload.long()?)
        }
        method::CONNECTION_TUNE => Method::Tune {
            channel_max: payload.u16()?,
            frame_max: payload.u32()?,
            heartbeat: payload.u16()?,
        },
        method::CONNECTION_CLOSE => Method::ConnectionClose(read_closing(payload)?),
        method::CHANNEL_CLOSE => Method::ChannelClose(read_closing(payload)?),
        method::CONNECTION_BLOCKED => Method::Blocked(payload.short()?),
        method::CONNECTION_UNBLOCKED => Method::Unblocked,
        method::CHANNEL_FLOW => Method::Flow(payload.u8()? & 1 == 1),
        method::QUEUE_DECLARE_OK => Method::QueueDeclared(payload.short()?),
        method::BASIC_CANCEL => Method::Cancel,
        method::BASIC_DELIVER => {
            _ = payload.short()?;
            let (tag, redelivered) = (payload.u64()?, payload.u8()? & 1 == 1);
            let _exchange = payload.short()?;
            Method::Deliver(Deliver {
                tag,
                redelivered,
                routing_key: payload.short()?,
            })
        }
        method::BASIC_ACK | method::BASIC_NACK => Method::Confirm {
            tag: payload.u64()?,
            multiple: payload.u8()? & 1 == 1,
            taken: number == method::BASIC_ACK,
        },
        other => Method::Other(other),
    })
}

fn read_closing<'a>(payload: &mut Reader<'a>) -> Option<Closing<'a>> {
    Some(Closing {
        code: payload.u16()?,
        text: payload.short()?,
    })
}
