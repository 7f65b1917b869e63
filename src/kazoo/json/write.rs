//! Writes json-c's spaced form.

use super::Value;
use super::plain::plain_len;

/// Appends `value` to `into`.
pub(super) fn value(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Null => into.extend_from_slice(b"null"),
        Value::Text(text) => put_text(text.as_bytes(), into),
        Value::Array(values) => {
            into.push(b'[');
            for (index, value) in values.iter().enumerate() {
                separate(index, into);
                value.write(into);
            }
            into.extend_from_slice(b" ]");
        }
        Value::Object(object) => {
            into.push(b'{');
            for (index, (name, value)) in object.iter().enumerate() {
                separate(index, into);
                put_text(name, into);
                into.extend_from_slice(b": ");
                value.write(into);
            }
            into.extend_from_slice(b" }");
        }
        Value::Bool(_) | Value::Number(_) => into.extend_from_slice(&value.text()),
    }
}

fn separate(index: usize, into: &mut Vec<u8>) {
    if index > 0 {
        into.push(b',');
    }
    into.push(b' ');
}

/// Appends `text` to `into`, quoted and escaped.
pub fn put_text(text: &[u8], into: &mut Vec<u8>) {
    into.push(b'"');
    let mut rest = text;
    loop {
        let (plain, from) = rest.split_at(plain_len(rest, is_escaped));
        into.extend_from_slice(plain);
        let Some((byte, behind)) = from.split_first() else {
            break;
        };
        put_escape(*byte, into);
        rest = behind;
    }
    into.push(b'"');
}

fn is_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte == b'/')
}

fn put_escape(byte: u8, into: &mut Vec<u8>) {
    let letter = match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        b'"' | b'\\' | b'/' => byte,
        _ => {
            let hex = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('0');
            into.extend_from_slice(b"\\u00");
            let digits = [hex(byte >> 4), hex(byte & 0xf)];
            into.extend(digits.map(|digit| digit as u8));
            return;
        }
    };
    into.extend_from_slice(&[b'\\', letter]);
}
