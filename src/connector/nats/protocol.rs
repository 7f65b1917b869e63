//! The client protocol (docs.nats.io, "Client Protocol"; headers: ADR-4).

use crate::frame::nats::Publish;
use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

/// A control line longer than this is no NATS server's; INFO may list many servers.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// What the server says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) max_payload: usize,
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
    pub(super) headers: bool,
    pub(super) nonce: Option<String>,
    pub(super) connect_urls: Vec<String>,
    /// It is about to shut down and asks its clients to leave (lame duck mode).
    pub(super) ldm: bool,
}

impl Info {
    /// The largest message that it takes, in bytes; one that says nothing about it has no limit.
    pub(super) fn message_bytes_max(&self) -> usize {
        match self.max_payload {
            0 => usize::MAX,
            some => some,
        }
    }
}

/// What the client says of itself.
#[derive(Debug, Serialize)]
pub(super) struct Connect<'a> {
    pub(super) verbose: bool,
    pub(super) pedantic: bool,
    pub(super) tls_required: bool,
    pub(super) name: &'a str,
    pub(super) lang: &'a str,
    pub(super) version: &'a str,
    pub(super) protocol: u8,
    pub(super) headers: bool,
    pub(super) no_responders: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pass: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sig: Option<String>,
}

/// A message as it arrived, in the read buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) subject: &'a [u8],
    pub(super) reply: &'a [u8],
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// What the server sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Op<'a> {
    Info(&'a [u8]),
    Message(Message<'a>),
    /// A message of so many bytes after its line, over the limit; they follow.
    TooLarge(usize),
    Ping,
    Pong,
    Ok,
    Error(&'a [u8]),
}

/// Reads the first operation in `buffer`: it and its length, or none if more bytes are needed.
/// Messages of more than `message_bytes_max` after their line are not waited for.
///
/// # Errors
/// What is wrong, for the log: the connection is of no use any more.
pub(super) fn parse(
    buffer: &[u8],
    message_bytes_max: usize,
) -> Result<Option<(Op<'_>, usize)>, String> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        if buffer.len() > LINE_BYTES_MAX {
            return Err("it sends a line without end".to_owned());
        }
        return Ok(None);
    };
    let line = buffer.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rest = buffer.get(end + 1..).unwrap_or_default();
    if let Some(arguments) = line.strip_prefix(b"MSG ") {
        return message(arguments, rest, end + 1, false, message_bytes_max);
    }
    if let Some(arguments) = line.strip_prefix(b"HMSG ") {
        return message(arguments, rest, end + 1, true, message_bytes_max);
    }
    let op = match line.split(|byte| *byte == b' ').next().unwrap_or_default() {
        b"PING" => Op::Ping,
        b"PONG" => Op::Pong,
        b"+OK" => Op::Ok,
        b"INFO" => Op::Info(line.get(5..).unwrap_or_default()),
        b"-ERR" => Op::Error(line.get(5..).unwrap_or_default().trim_ascii()),
        word => {
            let word = word.get(..word.len().min(20)).unwrap_or_default();
            return Err(format!(
                "it does not speak NATS, but says \"{}\"",
                word.escape_ascii()
            ));
        }
    };
    Ok(Some((op, end + 1)))
}

/// `subject sid [reply] [header-bytes] total-bytes`, then the bytes and a line end.
fn message<'a>(
    arguments: &'a [u8],
    rest: &'a [u8],
    line_bytes: usize,
    has_headers: bool,
    message_bytes_max: usize,
) -> Result<Option<(Op<'a>, usize)>, String> {
    let unsound = || "it sends a message line that cannot be read".to_owned();
    let mut words = arguments
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let mut fields = [&[][..]; 5];
    let mut count = 0;
    for (field, word) in fields.iter_mut().zip(&mut words) {
        *field = word;
        count += 1;
    }
    if words.next().is_some() {
        return Err(unsound());
    }
    let numbers = if has_headers { 2 } else { 1 };
    let reply: &[u8] = match count - numbers.min(count) {
        2 => b"",
        3 => fields[2],
        _ => return Err(unsound()),
    };
    let total = fields
        .get(count - 1)
        .and_then(|word| number(word))
        .ok_or_else(unsound)?;
    let split = if has_headers {
        fields
            .get(count - 2)
            .and_then(|word| number(word))
            .ok_or_else(unsound)?
    } else {
        0
    };
    if total > message_bytes_max {
        return Ok(Some((Op::TooLarge(total + 2), line_bytes)));
    }
    let Some(body) = rest.get(..total) else {
        return Ok(None);
    };
    let Some(end) = rest.get(total..total + 2) else {
        return Ok(None);
    };
    if end != b"\r\n" {
        return Err("it sends a message that is longer than its line says".to_owned());
    }
    let (headers, payload) = body.split_at_checked(split).ok_or_else(unsound)?;
    let message = Message {
        subject: fields[0],
        reply,
        headers,
        payload,
    };
    Ok(Some((Op::Message(message), line_bytes + total + 2)))
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 10 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_usize, |number, digit| match digit {
            b'0'..=b'9' => Some(number * 10 + usize::from(digit - b'0')),
            _ => None,
        })
}

/// Writes a `PUB`.
pub(super) fn put_publish(buffer: &mut BytesMut, message: &Publish<'_>) {
    let mut digits = [0; 20];
    let size = decimal(message.payload.len(), &mut digits);
    buffer.reserve(
        12 + message.subject.len() + message.reply.len() + size.len() + message.payload.len(),
    );
    buffer.put_slice(b"PUB ");
    buffer.put_slice(message.subject);
    buffer.put_slice(b" ");
    if !message.reply.is_empty() {
        buffer.put_slice(message.reply);
        buffer.put_slice(b" ");
    }
    buffer.put_slice(size);
    buffer.put_slice(b"\r\n");
    buffer.put_slice(message.payload);
    buffer.put_slice(b"\r\n");
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        at -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(at..).unwrap_or_default()
}
