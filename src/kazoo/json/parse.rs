//! Reads a document.

use super::plain::plain_len;
use super::{DEPTH_MAX, Mistake, Object, Text, Value};
use std::collections::HashMap;

/// Objects with more members look for double names with an index.
const MEMBERS_COMPARED_MAX: usize = 16;

/// Room for the members of the outermost object, and for some that may be added.
const MEMBERS_USUAL: usize = 16;

/// What stands for half of a pair of surrogates.
const REPLACEMENT: char = '\u{fffd}';

/// Reads the document at the beginning of `text`. What follows it is ignored.
///
/// # Errors
/// [`Mistake::Syntax`].
pub fn parse(text: &[u8]) -> Result<Value, Mistake> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_blanks()?;
    reader.value(DEPTH_MAX)
}

/// A document, and how far it was read.
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied().filter(|byte| *byte != 0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn wrong<T>(&self, what: &'static str) -> Result<T, Mistake> {
        let what = if self.peek().is_none() {
            "it ends too early"
        } else {
            what
        };
        Err(Mistake::Syntax { at: self.at, what })
    }

    fn skip_blanks(&mut self) -> Result<(), Mistake> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        let len = match rest.get(1) {
            Some(b'*') => rest
                .windows(2)
                .skip(2)
                .position(|pair| pair == b"*/")
                .map(|at| at + 4),
            Some(b'/') => Some(
                rest.iter()
                    .position(|byte| matches!(byte, b'\n' | 0))
                    .unwrap_or(rest.len()),
            ),
            _ => return self.wrong("a slash begins no comment"),
        };
        let Some(len) = len else {
            return self.wrong("a comment has no end");
        };
        self.at += len;
        Ok(())
    }

    /// A value that may hold `depth` levels.
    fn value(&mut self, depth: usize) -> Result<Value, Mistake> {
        match self.peek() {
            Some(b'{' | b'[') if depth == 0 => self.wrong("it is nested too deep"),
            Some(b'{') => self.object(depth - 1),
            Some(b'[') => self.array(depth - 1),
            Some(quote @ (b'"' | b'\'')) => self.text(quote).map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, Mistake> {
        let words = ["null", "true", "false", "NaN", "Infinity"];
        match words.into_iter().find(|word| self.takes(word)) {
            Some("null") => Ok(Value::Null),
            Some("true") => Ok(Value::Bool(true)),
            Some("false") => Ok(Value::Bool(false)),
            Some(number) => Ok(Value::Number(number.as_bytes().into())),
            None => self.wrong("there is no value"),
        }
    }

    /// Goes behind `word` if it comes next, in any case.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let next = self.rest().get(..word.len());
        let found = next.is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    fn text(&mut self, quote: u8) -> Result<Text, Mistake> {
        self.at += 1;
        let plain = self.plain(quote);
        if self.text.get(self.at) == Some(&quote) {
            self.at += 1;
            return Ok(plain.into());
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'\\') => self.escape(&mut text)?,
                Some(_) => {
                    self.at += 1;
                    return Ok(text.as_slice().into());
                }
                None => return self.wrong("a text has no end"),
            }
            text.extend_from_slice(self.plain(quote));
        }
    }

    /// The bytes up to the next quote, escape or end.
    fn plain(&mut self, quote: u8) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = plain_len(rest, |byte| (byte == quote) | (byte == b'\\') | (byte == 0));
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), Mistake> {
        self.at += 1;
        let byte = match self.peek() {
            Some(byte @ (b'"' | b'\'' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let character = self.unicode()?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return self.wrong("there is no such escape"),
        };
        text.push(byte);
        self.at += 1;
        Ok(())
    }

    /// `u` and four digits, and the second half of a pair behind it.
    fn unicode(&mut self) -> Result<char, Mistake> {
        let high = self.hex()?;
        if let Some(character) = char::from_u32(high) {
            return Ok(character);
        }
        let before = self.at;
        if high < 0xdc00 && self.takes("\\u") {
            self.at -= 1;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(REPLACEMENT));
            }
            // Not its other half: it is read again, for itself.
            self.at = before;
        }
        Ok(REPLACEMENT)
    }

    /// The number behind a `u`.
    fn hex(&mut self) -> Result<u32, Mistake> {
        self.at += 1;
        let digits = self.rest().get(..4).unwrap_or_default();
        let number = digits.iter().try_fold(0, |number, digit| {
            Some(number * 16 + char::from(*digit).to_digit(16)?)
        });
        match number {
            Some(number) if digits.len() == 4 => {
                self.at += 4;
                Ok(number)
            }
            _ => self.wrong("\\u needs four hexadecimal digits"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Mistake> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.peek() == Some(b']') {
                break;
            }
            values.push(self.value(depth)?);
            self.skip_blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong("a comma or ] is missing"),
            }
        }
        self.at += 1;
        Ok(Value::Array(values))
    }

    fn object(&mut self, depth: usize) -> Result<Value, Mistake> {
        self.at += 1;
        let outermost = depth + 1 == DEPTH_MAX;
        let mut members = Vec::with_capacity(if outermost { MEMBERS_USUAL } else { 0 });
        loop {
            self.skip_blanks()?;
            let name = match self.peek() {
                Some(b'}') => break,
                Some(quote @ (b'"' | b'\'')) => self.text(quote)?,
                _ => return self.wrong("a name must stand in quotes"),
            };
            self.skip_blanks()?;
            if self.peek() != Some(b':') {
                return self.wrong("a colon is missing");
            }
            self.at += 1;
            self.skip_blanks()?;
            members.push((name, self.value(depth)?));
            self.skip_blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("a comma or } is missing"),
            }
        }
        self.at += 1;
        Ok(Value::Object(Object {
            members: unique(members),
        }))
    }
}

/// Each name once: at its first place, with its last value.
fn unique(members: Vec<(Text, Value)>) -> Vec<(Text, Value)> {
    if members.len() <= MEMBERS_COMPARED_MAX {
        let mut rest = members.as_slice();
        let mut repeats = false;
        while let Some(((name, _), behind)) = rest.split_first() {
            repeats |= behind.iter().any(|(other, _)| other == name);
            rest = behind;
        }
        if !repeats {
            return members;
        }
    }
    let mut places: HashMap<Vec<u8>, usize> = HashMap::with_capacity(members.len());
    let mut kept: Vec<(Text, Value)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let place = places.entry(name.as_bytes().to_vec()).or_insert(kept.len());
        match kept.get_mut(*place) {
            Some((_, old)) => *old = value,
            None => kept.push((name, value)),
        }
    }
    kept
}
