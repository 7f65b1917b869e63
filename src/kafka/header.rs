//! A record's headers as they cross a lane or an inbox: names and values, each with its length in
//! front.
//!
//! ```text
//!  (name length: u32 | value length: u32, u32::MAX for none | name | value) x headers
//! ```

/// Stands for a header without a value.
const NONE: u32 = u32::MAX;

/// Puts a header behind those in `block`. False, and nothing is put, if it is over 4 GiB.
pub fn push(block: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) -> bool {
    let name_len = u32::try_from(name.len());
    let value_len = value.map_or(Ok(NONE), |value| u32::try_from(value.len()));
    let (Ok(name_len), Ok(value_len)) = (name_len, value_len) else {
        return false;
    };
    if value.is_some() && value_len == NONE {
        return false;
    }
    block.extend_from_slice(&name_len.to_ne_bytes());
    block.extend_from_slice(&value_len.to_ne_bytes());
    block.extend_from_slice(name);
    block.extend_from_slice(value.unwrap_or_default());
    true
}

/// The headers of a block, up to the first that is not sound.
pub fn iter(mut block: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    std::iter::from_fn(move || {
        let (name_len, rest) = block.split_first_chunk()?;
        let (value_len, rest) = rest.split_first_chunk()?;
        let name_len = usize::try_from(u32::from_ne_bytes(*name_len)).ok()?;
        let value_len = u32::from_ne_bytes(*value_len);
        let (name, rest) = rest.split_at_checked(name_len)?;
        if value_len == NONE {
            block = rest;
            return Some((name, None));
        }
        let (value, rest) = rest.split_at_checked(usize::try_from(value_len).ok()?)?;
        block = rest;
        Some((name, Some(value)))
    })
}

/// The value of the first header of that name, with regard to case, as Kafka's are; none if there is
/// no such header or it has no value.
#[must_use]
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    iter(block).find(|(other, _)| *other == name)?.1
}

/// Reads `name=value;name=value` as scripts write it into a block. Blanks around a name are removed;
/// an empty text is no headers.
///
/// # Errors
/// What is wrong, in words that follow "the headers".
pub fn from_text(text: &[u8], block: &mut Vec<u8>) -> Result<(), &'static str> {
    for pair in text.split(|byte| *byte == b';') {
        if pair.trim_ascii().is_empty() {
            continue;
        }
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else {
            return Err("have a part without '='");
        };
        let (name, value) = pair.split_at(at);
        let name = name.trim_ascii();
        if name.is_empty() || name.contains(&0) {
            return Err("have a part without a name");
        }
        if !push(block, name, value.get(1..)) {
            return Err("are too long");
        }
    }
    Ok(())
}
