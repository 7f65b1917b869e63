//! An event as it is sent: a JSON-RPC notification.

use serde_json::Value as Json;

/// A parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text; bytes that are not UTF-8 are replaced where they are sent.
    Text(&'a [u8]),
    /// A whole number.
    Number(i64),
}

/// A value as it is kept: a text with a NUL behind it, for readers that want text to end with one.
#[derive(Debug)]
enum Kept {
    Text(Vec<u8>),
    Number(i64),
}

impl Kept {
    fn text(text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        text.push(0);
        Self::Text(text)
    }
}

/// An event in the making: its name, then its parameters, all with a name or all without.
#[derive(Debug, Default)]
pub struct Notification {
    /// With a NUL behind it.
    name: Vec<u8>,
    json: Vec<u8>,
    params: Vec<(Option<Vec<u8>>, Kept)>,
    /// What the text still lacks.
    end: &'static str,
}

impl Notification {
    /// Begins an event of that name. What was there is forgotten.
    pub fn begin(&mut self, name: &str) {
        self.name.clear();
        self.name.extend(name.as_bytes());
        self.name.push(0);
        self.params.clear();
        self.json.clear();
        self.json.extend(br#"{"jsonrpc":"2.0","method":"#);
        write_text(&mut self.json, name.as_bytes());
        self.end = "}";
    }

    /// The event's name. In memory a NUL follows.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        without_nul(&self.name)
    }

    /// Adds a parameter.
    pub fn add(&mut self, name: Option<&[u8]>, value: Value<'_>) {
        let (begin, end) = match name {
            Some(_) => (",\"params\":{", "}}"),
            None => (",\"params\":[", "]}"),
        };
        let begin = if self.params.is_empty() { begin } else { "," };
        self.json.extend(begin.as_bytes());
        self.end = end;
        if let Some(name) = name {
            write_text(&mut self.json, name);
            self.json.push(b':');
        }
        let kept = match value {
            Value::Text(text) => {
                write_text(&mut self.json, text);
                Kept::text(text)
            }
            Value::Number(number) => {
                self.json.extend(number.to_string().as_bytes());
                Kept::Number(number)
            }
        };
        self.params.push((name.map(<[u8]>::to_vec), kept));
    }

    /// Takes all parameters from a JSON object or array, which is sent as it is but for blanks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, params: &[u8]) -> Result<(), String> {
        let parsed: Json = serde_json::from_slice(params).map_err(|why| why.to_string())?;
        self.params = match parsed {
            Json::Object(members) => {
                let named = |(name, value): (String, _)| (Some(name.into_bytes()), plain(value));
                members.into_iter().map(named).collect()
            }
            Json::Array(members) => members
                .into_iter()
                .map(|value| (None, plain(value)))
                .collect(),
            _ => return Err("it is neither an object nor an array".to_owned()),
        };
        if !self.params.is_empty() {
            self.json.extend(b",\"params\":");
            compact(params, &mut self.json);
        }
        Ok(())
    }

    /// Ends the event: what is sent.
    pub fn finish(&mut self) -> &[u8] {
        let end = std::mem::take(&mut self.end);
        self.json.extend(end.as_bytes());
        &self.json
    }

    /// The value of the parameter with that name, or else that number, counted from 1. In memory a
    /// NUL follows a text.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<Value<'_>> {
        let named = self
            .params
            .iter()
            .find(|(own, _)| own.as_deref() == Some(name));
        let numbered = || {
            let number: usize = std::str::from_utf8(name).ok()?.parse().ok()?;
            self.params.get(number.checked_sub(1)?)
        };
        let (_, kept) = named.or_else(numbered)?;
        Some(match kept {
            Kept::Text(text) => Value::Text(without_nul(text)),
            Kept::Number(number) => Value::Number(*number),
        })
    }
}

fn without_nul(text: &[u8]) -> &[u8] {
    text.split_last().map_or(&[], |(_, text)| text)
}

/// A member of a JSON document as a script sees it: what is no text is its JSON.
fn plain(value: Json) -> Kept {
    match (value.as_i64(), value) {
        (Some(number), _) => Kept::Number(number),
        (_, Json::String(text)) => Kept::text(text),
        (_, other) => Kept::text(other.to_string()),
    }
}

fn write_text(json: &mut Vec<u8>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let written = serde_json::to_writer(json, &text);
    debug_assert!(written.is_ok(), "memory takes every text");
}

/// Copies a JSON document without the blanks between its parts.
fn compact(json: &[u8], into: &mut Vec<u8>) {
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in json {
        if !in_text && byte.is_ascii_whitespace() {
            continue;
        }
        if *byte == b'"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && *byte == b'\\' && !is_escaped;
        into.push(*byte);
    }
}
