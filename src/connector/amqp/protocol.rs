//! AMQP 0-9-1 as RabbitMQ speaks it: frames, and the methods that the server sends.
//!
//! ```text
//!  type: u8 | channel: u16 | size: u32 | payload | 0xCE
//! ```

use crate::kazoo::headers;
use bytes::{BufMut, BytesMut};

/// The code of an operator who closes a connection, or stops the server: no message's fault.
pub(super) const CONNECTION_FORCED: u16 = 320;

/// The code for an exchange or a queue that is not there.
pub(super) const NOT_FOUND: u16 = 404;

/// What a client says first.
pub(super) const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Bytes a frame adds to its payload.
pub(super) const FRAME_OVERHEAD: usize = 8;

/// The smallest frame_max a server may ask for; what frames are bounded by before it has.
pub(super) const FRAME_MIN: usize = 4096;

const FRAME_END: u8 = 0xCE;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

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

/// Appends a frame of `kind` whose payload `write` appends.
fn put_frame(out: &mut BytesMut, kind: u8, channel: u16, write: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    out.put_u16(channel);
    let at = out.len();
    out.put_u32(0);
    write(out);
    let size = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    out.put_u8(FRAME_END);
}

/// Appends a method whose values `write` appends.
pub(super) fn put_method(
    out: &mut BytesMut,
    channel: u16,
    number: u32,
    write: impl FnOnce(&mut BytesMut),
) {
    put_frame(out, METHOD, channel, |out| {
        out.put_u32(number);
        write(out);
    });
}

/// Appends a method without values.
pub(super) fn put_bare(out: &mut BytesMut, channel: u16, number: u32) {
    put_method(out, channel, number, |_| {});
}

/// Appends a heartbeat.
pub(super) fn put_heartbeat(out: &mut BytesMut) {
    put_frame(out, HEARTBEAT, 0, |_| {});
}

/// Appends a short text; what is over 255 bytes is left out.
pub(super) fn put_short(out: &mut BytesMut, text: &[u8]) {
    let text = text.get(..255).unwrap_or(text);
    out.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text);
}

/// Appends a long text.
pub(super) fn put_long(out: &mut BytesMut, text: &[u8]) {
    out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(text);
}

/// A value of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a> {
    Flag(bool),
    Text(&'a [u8]),
    Table(&'a [(&'a str, Field<'a>)]),
}

/// Appends a table.
pub(super) fn put_table<'a>(
    out: &mut BytesMut,
    fields: impl IntoIterator<Item = (&'a [u8], Field<'a>)>,
) {
    put_fields(out, &mut fields.into_iter());
}

/// Not generic, for it calls itself.
fn put_fields<'a>(out: &mut BytesMut, fields: &mut dyn Iterator<Item = (&'a [u8], Field<'a>)>) {
    let at = out.len();
    out.put_u32(0);
    for (name, field) in fields {
        put_short(out, name);
        match field {
            Field::Flag(flag) => {
                out.put_u8(b't');
                out.put_u8(u8::from(flag));
            }
            Field::Text(text) => {
                out.put_u8(b'S');
                put_long(out, text);
            }
            Field::Table(table) => {
                out.put_u8(b'F');
                let mut table = table.iter().map(|(name, field)| (name.as_bytes(), *field));
                put_fields(out, &mut table);
            }
        }
    }
    let size = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
}

/// A message to publish, in the server's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) exchange: &'a [u8],
    pub(super) routing_key: &'a [u8],
    pub(super) body: &'a [u8],
    /// `k=v;k2=v2`, empty for none.
    pub(super) headers: &'a [u8],
}

const CONTENT_TYPE: u16 = 1 << 15;
const HEADERS: u16 = 1 << 13;
const CLASS_BASIC: u16 = 60;

/// Appends a message: its method, its header, its body in as many frames as it needs.
pub(super) fn put_content(
    out: &mut BytesMut,
    channel: u16,
    content: &Content<'_>,
    frame_max: usize,
) {
    put_method(out, channel, method::BASIC_PUBLISH, |out| {
        out.put_u16(0);
        put_short(out, content.exchange);
        put_short(out, content.routing_key);
        // Neither mandatory nor immediate.
        out.put_u8(0);
    });
    put_frame(out, HEADER, channel, |out| {
        out.put_u16(CLASS_BASIC);
        out.put_u16(0);
        out.put_u64(content.body.len() as u64);
        let has_headers = !content.headers.is_empty();
        out.put_u16(CONTENT_TYPE | if has_headers { HEADERS } else { 0 });
        put_short(out, b"application/json");
        if has_headers {
            // What is no header was reported where it was given.
            let pairs = headers::parse(content.headers).flatten();
            put_table(out, pairs.map(|(name, value)| (name, Field::Text(value))));
        }
    });
    for part in content.body.chunks(frame_max - FRAME_OVERHEAD) {
        put_frame(out, BODY, channel, |out| out.extend_from_slice(part));
    }
}

/// Appends the acknowledgement of message `tag`; `multiple` takes in all before it.
pub(super) fn put_ack(out: &mut BytesMut, channel: u16, tag: u64, multiple: bool) {
    put_method(out, channel, method::BASIC_ACK, |out| {
        out.put_u64(tag);
        out.put_u8(u8::from(multiple));
    });
}

/// Appends the close of the connection or of a channel.
pub(super) fn put_close(out: &mut BytesMut, channel: u16) {
    let number = if channel == 0 {
        method::CONNECTION_CLOSE
    } else {
        method::CHANNEL_CLOSE
    };
    put_method(out, channel, number, |out| {
        out.put_u16(200);
        put_short(out, b"good bye");
        out.put_u32(0);
    });
}
