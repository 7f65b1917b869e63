//! What a client of an AMQP server says: methods, tables and messages in their frames.

use super::protocol::{BODY, FRAME_END, FRAME_OVERHEAD, HEADER, HEARTBEAT, METHOD, method};
use crate::kazoo::headers;
use bytes::{BufMut, BytesMut};

/// What a client says first.
pub(super) const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";

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
