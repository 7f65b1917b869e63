//! What is added to messages: to those that leave, who sent them; to those that come, where from.

use super::json::{Mistake, Object, Value, parse, put_text};
use super::target;

const MSG_ID: &str = "Msg-ID";
const SERVER_ID: &str = "Server-ID";

/// What ends an object that has members.
const END: &[u8] = b" }";

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `App-Name`.
    pub app_name: String,
    /// `App-Version`, Kamailio's.
    pub app_version: String,
    /// `Node`.
    pub node: String,
}

/// A message, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its bytes, an object that has members.
    pub body: Vec<u8>,
    /// What its answer is recognised by.
    pub msg_id: String,
    /// It says nothing about where an answer should go: who sends it adds that, by
    /// [`with_server_id`].
    pub needs_server_id: bool,
}

/// Completes the message `json`: properties that it lacks come behind its own.
///
/// # Errors
/// [`Mistake`].
pub fn outgoing(
    json: &[u8],
    identity: &Identity,
    msg_id: impl FnOnce() -> String,
) -> Result<Outgoing, Mistake> {
    let mut object = object(json)?;
    for (name, text) in [
        ("App-Name", &identity.app_name),
        ("App-Version", &identity.app_version),
        ("Node", &identity.node),
    ] {
        if object.get(name.as_bytes()).is_none() {
            object.set(name, Value::from_text(text.as_bytes()));
        }
    }
    let msg_id = match object.get(MSG_ID.as_bytes()) {
        Some(given) => text_of(given),
        None => {
            let made = msg_id();
            object.set(MSG_ID, Value::from_text(made.as_bytes()));
            made
        }
    };
    let needs_server_id = object.get(SERVER_ID.as_bytes()).is_none();
    if needs_server_id {
        // It may be there as null.
        object.remove(SERVER_ID);
    }
    let mut body = Vec::with_capacity(json.len() + 256);
    Value::Object(object).write(&mut body);
    Ok(Outgoing {
        body,
        msg_id,
        needs_server_id,
    })
}

/// Appends `body`, which an [`Outgoing`] has, to `out`, with the `Server-ID` that it lacks.
pub fn with_server_id(body: &[u8], key: &str, out: &mut Vec<u8>) {
    let open = body.strip_suffix(END).unwrap_or(body);
    out.extend_from_slice(open);
    out.extend_from_slice(b", \"Server-ID\": ");
    put_text(key.as_bytes(), out);
    out.extend_from_slice(END);
}

/// Bytes that [`with_server_id`] adds, at the most.
#[must_use]
pub const fn server_id_bytes(key: &str) -> usize {
    18 + 6 * key.len()
}

/// Reads a message that server number `server` of `zone` sent, and completes it: zone, time, and
/// its `Server-ID` such that an answer goes back the same way. Gives the document and its bytes.
///
/// # Errors
/// [`Mistake`].
pub fn incoming(
    body: &[u8],
    server: usize,
    zone: &str,
    received: u64,
) -> Result<(Value, Vec<u8>), Mistake> {
    let mut object = object(body)?;
    object.set("AMQP-Broker-Zone", Value::from_text(zone.as_bytes()));
    object.set("AMQP-Received", Value::from_number(received));
    let id = object.remove(SERVER_ID).unwrap_or(Value::Null);
    let id = id.text();
    if !id.is_empty() {
        object.set(SERVER_ID, Value::from_text(&target::sender(server, &id)));
    }
    let value = Value::Object(object);
    let mut bytes = Vec::with_capacity(body.len() + 128);
    value.write(&mut bytes);
    Ok((value, bytes))
}

/// The `Msg-ID` of a message, if it has one.
#[must_use]
pub fn msg_id(message: &Value) -> Option<String> {
    message.get(MSG_ID).map(text_of)
}

/// A `Msg-ID` from 16 random bytes: a UUID, version 4.
#[must_use]
pub fn uuid(mut random: [u8; 16]) -> String {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut random;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in random.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from(half + if half < 10 { b'0' } else { b'a' - 10 }));
        }
    }
    text
}

fn object(json: &[u8]) -> Result<Object, Mistake> {
    match parse(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(Mistake::NotAnObject),
    }
}

fn text_of(value: &Value) -> String {
    String::from_utf8_lossy(&value.text()).into_owned()
}
