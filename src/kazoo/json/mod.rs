//! JSON as json-c reads and writes it: a dialect in, its spaced form out.
//!
//! Read are also single quotes, trailing commas, comments, words in any case, `NaN`, leading
//! zeroes, raw control characters in texts, and whatever follows the document. A NUL ends the text.
//! Members keep their order, numbers their text; of a key that comes twice the last value counts, at
//! the first one's place. Texts are bytes: UTF-8 is passed on, not checked.

mod number;
mod parse;
mod plain;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use parse::parse;
pub use text::Text;
pub use write::put_text;

use std::borrow::Cow;
use std::fmt;

/// How deep a document may be nested.
pub const DEPTH_MAX: usize = 64;

/// A value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, by its text.
    Number(Text),
    /// A text.
    Text(Text),
    /// A list.
    Array(Vec<Value>),
    /// Named values.
    Object(Object),
}

/// Named values, in their order; each name is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    members: Vec<(Text, Value)>,
}

/// Why a document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// It cannot be read.
    Syntax {
        /// Where, in bytes from its beginning.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// It is sound, but no object.
    NotAnObject,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { at, what } => write!(f, "no JSON: at byte {at} {what}"),
            Self::NotAnObject => f.write_str("the JSON is not an object"),
        }
    }
}

impl std::error::Error for Mistake {}

impl Value {
    /// A text.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self::Number(number.to_string().as_bytes().into())
    }

    /// The member `name` of an object. `null` counts as not being there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.member(name.as_bytes())
    }

    /// As [`Value::get`], for any bytes.
    #[must_use]
    pub fn member(&self, name: &[u8]) -> Option<&Self> {
        self.object()?.get(name)
    }

    /// The object, if it is one.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The value as scripts see it: a text without its quotes, anything else as JSON. `null` is
    /// empty.
    #[must_use]
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Null => Cow::Borrowed(b""),
            Self::Bool(true) => Cow::Borrowed(b"true"),
            Self::Bool(false) => Cow::Borrowed(b"false"),
            Self::Number(number) => Cow::Borrowed(number.as_bytes()),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Array(_) | Self::Object(_) => {
                let mut bytes = Vec::new();
                self.write(&mut bytes);
                Cow::Owned(bytes)
            }
        }
    }

    /// The value as a whole number, as options take it: `1`, `"1"`, `true`. What is none is 0.
    #[must_use]
    pub fn integer(&self) -> i64 {
        match self {
            Self::Bool(set) => i64::from(*set),
            Self::Number(number) => leading_integer(number.as_bytes()),
            Self::Text(text) => leading_integer(text.as_bytes().trim_ascii_start()),
            _ => 0,
        }
    }

    /// Appends the value to `into`, in json-c's spaced form: `{ "a": "x", "b": [ 1, 2 ] }`.
    pub fn write(&self, into: &mut Vec<u8>) {
        write::value(self, into);
    }
}

impl Object {
    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_bytes(), value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of `name`. `null` counts as not being there.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Value> {
        let (_, value) = self
            .members
            .iter()
            .find(|(key, _)| key.as_bytes() == name)?;
        Some(value).filter(|value| **value != Value::Null)
    }

    /// Gives `name` a value, in its place if it has one, else at the end.
    pub fn set(&mut self, name: &str, value: Value) {
        let known = self
            .members
            .iter_mut()
            .find(|(key, _)| key.as_bytes() == name.as_bytes());
        match known {
            Some((_, old)) => *old = value,
            None => self.members.push((name.as_bytes().into(), value)),
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self
            .members
            .iter()
            .position(|(key, _)| key.as_bytes() == name.as_bytes())?;
        Some(self.members.remove(at).1)
    }
}

/// The whole number that `text` begins with, or 0.
fn leading_integer(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(sign * i64::from(digit - b'0'))
    })
}
