//! Encodes a word of a routing key, so that no byte of it has a meaning there.

/// Appends the encoded `text` to `into`. Letters, digits, `-`, `~` and `_` stay, a blank becomes
/// `+`, any other byte `%` and two hexadecimal digits. A wildcard that stands alone stays one.
pub fn encode(text: &[u8], into: &mut Vec<u8>) {
    if matches!(text, b"#" | b"*") {
        into.extend_from_slice(text);
        return;
    }
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'~' | b'_' => into.push(*byte),
            b' ' => into.push(b'+'),
            _ => into.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
}

fn digit(half: u8) -> u8 {
    match half {
        0..=9 => b'0' + half,
        _ => b'A' + (half - 10),
    }
}
