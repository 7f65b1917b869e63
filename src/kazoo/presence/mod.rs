//! Presence: what a message says, as a row of Kamailio's presentity table.

mod dialoginfo;
mod mwi;
mod pidf;
#[cfg(test)]
mod tests;
mod xml;

use super::json::Value;
use std::borrow::Cow;

/// The longest field of a message that goes into a row or its document, in bytes.
pub const FIELD_BYTES_MAX: usize = 4096;

/// The columns that tell one row from another.
const KEY_COLUMNS: i64 = 4;

/// A kind of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// Calls in progress, for lamps.
    Dialog,
    /// Voice messages that wait.
    MessageSummary,
    /// What somebody does.
    Presence,
}

impl Package {
    /// The event's name.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
            Self::Presence => "presence",
        }
    }
}

/// How documents are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Dialog documents have targets.
    pub include_entity: bool,
    /// The entity of presence documents is From, not From-User.
    pub full_entity: bool,
}

/// A row of the table. `received_time` is the time at which it is written, `priority` is 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// First key.
    pub event: &'static str,
    /// Second key.
    pub domain: Vec<u8>,
    /// Third key.
    pub username: Vec<u8>,
    /// Fourth key.
    pub etag: Vec<u8>,
    /// Who said it.
    pub sender: Vec<u8>,
    /// The document.
    pub body: Vec<u8>,
    /// When it ends, in seconds since 1970; 0 or less as the message has it.
    pub expires: i64,
    /// How many of the keys, from the last one, do not matter when older rows go: 0 to 3. With 0
    /// the row may be replaced.
    pub reset: u8,
}

/// What a message is about, if it is an update of something that is known here.
#[must_use]
pub fn package(message: &Value) -> Option<Package> {
    let text = |name: &str| message.get(name).map(Value::text).unwrap_or_default();
    if *text("Event-Name") != *b"update" {
        return None;
    }
    let event = text("Event-Package");
    [Package::Dialog, Package::MessageSummary, Package::Presence]
        .into_iter()
        .find(|package| package.event().as_bytes() == &*event)
}

/// The row for `message`; `now` is in seconds since 1970. None if the message lacks what it must
/// have, which the error names.
///
/// # Errors
/// What is wrong with the message.
pub fn row(message: &Value, package: Package, style: Style, now: i64) -> Result<Row, String> {
    let message = Message { fields: message };
    match package {
        Package::Dialog => dialoginfo::row(&message, style, now),
        Package::MessageSummary => mwi::row(&message, now),
        Package::Presence => pidf::row(&message, style, now),
    }
}

/// The fields of a message.
struct Message<'a> {
    fields: &'a Value,
}

type Text<'a> = Cow<'a, [u8]>;

impl<'a> Message<'a> {
    /// A field, empty if it is not there.
    fn field(&self, name: &str) -> Result<Text<'a>, String> {
        let text = self.fields.get(name).map(Value::text).unwrap_or_default();
        if text.len() > FIELD_BYTES_MAX {
            return Err(format!("{name} is longer than {FIELD_BYTES_MAX} bytes"));
        }
        Ok(text)
    }

    /// The first of several fields that is not empty.
    fn first(&self, names: &[&str]) -> Result<Text<'a>, String> {
        for name in names {
            let text = self.field(name)?;
            if !text.is_empty() {
                return Ok(text);
            }
        }
        Ok(Text::default())
    }

    /// A field that must be there.
    fn needed(&self, name: &str) -> Result<Text<'a>, String> {
        match self.field(name)? {
            text if text.is_empty() => Err(format!("{name} is missing")),
            text => Ok(text),
        }
    }

    /// `Expires`, as a time if it is one.
    fn expires(&self, now: i64) -> i64 {
        match self.fields.get("Expires").map_or(0, Value::integer) {
            seconds @ 1.. => now.saturating_add(seconds).min(i64::from(i32::MAX)),
            other => other.max(i64::from(i32::MIN)),
        }
    }

    /// `Flush-Level`: how many keys do not matter. At least the event always does.
    fn flush_level(&self) -> u8 {
        let level = self.fields.get("Flush-Level").map_or(0, Value::integer);
        u8::try_from(level.clamp(0, KEY_COLUMNS - 1)).unwrap_or(0)
    }
}
