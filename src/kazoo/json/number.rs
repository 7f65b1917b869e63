//! Reads numbers: by their text, which is not to change on its way.

use super::parse::Reader;
use super::{Mistake, Value};

impl<'a> Reader<'a> {
    /// The digits that come next.
    fn digits(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A number, by its text. Where JSON's grammar wants less or more (`007`, `1.`, `1e`), the text
    /// is what it must be.
    pub(super) fn number(&mut self) -> Result<Value, Mistake> {
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        if negative && self.takes("Infinity") {
            return Ok(Value::Number(b"-Infinity"[..].into()));
        }
        let mut number = Vec::new();
        let whole = self.digits();
        let significant = whole.iter().position(|digit| *digit != b'0');
        match significant.and_then(|at| whole.get(at..)) {
            Some(digits) => number.extend_from_slice(digits),
            None => number.push(b'0'),
        }
        let mut is_whole = true;
        let mut count = whole.len();
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_whole = false;
            let fraction = self.digits();
            count += fraction.len();
            number.push(b'.');
            match fraction {
                [] => number.push(b'0'),
                digits => number.extend_from_slice(digits),
            }
        }
        if count == 0 {
            return self.wrong("a number has no digits");
        }
        is_whole &= !self.exponent(&mut number);
        if negative && !(is_whole && number == b"0") {
            number.insert(0, b'-');
        }
        Ok(Value::Number(number.as_slice().into()))
    }

    /// What comes behind a number's digits. False if it says nothing.
    fn exponent(&mut self, number: &mut Vec<u8>) -> bool {
        let Some(letter @ (b'e' | b'E')) = self.peek() else {
            return false;
        };
        self.at += 1;
        let sign = self.peek().filter(|byte| matches!(byte, b'+' | b'-'));
        self.at += usize::from(sign.is_some());
        let digits = self.digits();
        if !digits.is_empty() {
            number.push(letter);
            number.extend(sign);
            number.extend_from_slice(digits);
        }
        !digits.is_empty()
    }
}
