//! The headers of a message, as scripts write them: `name=value;name2=value2`.

use super::SHORT_BYTES_MAX;

/// A header, or the text of one that is none.
pub type Header<'a> = Result<(&'a [u8], &'a [u8]), &'a [u8]>;

/// The headers in `text`. One without a name or value, or whose name is too long, is an error: it
/// is left out, the others count. What comes behind a second `=` is not read.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Header<'_>> {
    let entries = text.split(|byte| *byte == b';');
    entries.filter(|entry| !entry.is_empty()).map(header)
}

fn header(entry: &[u8]) -> Header<'_> {
    let mut parts = entry
        .split(|byte| *byte == b'=')
        .filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some(name), Some(value)) if name.len() <= SHORT_BYTES_MAX => Ok((name, value)),
        _ => Err(entry),
    }
}
