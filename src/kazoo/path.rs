//! Paths into a document: `Channels[0].switch_url`.
//!
//! Parts are parted by dots; in a part each escape character stands for a dot. `name[2]` is an
//! element of a list, from 0; of what is no list it is the value itself. A part without a name,
//! `[2]`, is an element of the value so far. An empty part finds nothing, except behind a last dot.

use super::json::Value;

/// The value at `path`; `null` counts as not being there.
#[must_use]
pub fn find<'a>(value: &'a Value, path: &[u8], escape: u8) -> Option<&'a Value> {
    let path = path.strip_suffix(b".").unwrap_or(path);
    let mut parts = path.split(|byte| *byte == b'.');
    let found = parts.try_fold(value, |value, part| step(value, part, escape))?;
    (*found != Value::Null).then_some(found)
}

/// How many elements the list at `path` has; 0 if there is none.
#[must_use]
pub fn count(value: &Value, path: &[u8], escape: u8) -> usize {
    match find(value, path, escape) {
        Some(Value::Array(values)) => values.len(),
        _ => 0,
    }
}

/// The names in the object at `path`, in their order; none if there is no object.
pub fn keys<'a>(value: &'a Value, path: &[u8], escape: u8) -> impl Iterator<Item = &'a [u8]> {
    let object = find(value, path, escape).and_then(Value::object);
    object
        .into_iter()
        .flat_map(|object| object.iter().map(|(name, _)| name))
}

fn step<'a>(value: &'a Value, part: &[u8], escape: u8) -> Option<&'a Value> {
    if part.is_empty() {
        return None;
    }
    let bracket = part.iter().position(|byte| *byte == b'[');
    let (name, index) = part.split_at(bracket.unwrap_or(part.len()));
    let found = match name {
        b"" => value,
        _ if name.contains(&escape) => {
            let dotted = |byte: &u8| if *byte == escape { b'.' } else { *byte };
            let name: Vec<u8> = name.iter().map(dotted).collect();
            value.member(&name)?
        }
        _ => value.member(name)?,
    };
    match (found, bracket) {
        (Value::Array(values), Some(_)) => values.get(element(index)?),
        _ => Some(found),
    }
}

/// The number in `[12]`; 0 if there is none, nothing if it is negative or too large.
fn element(index: &[u8]) -> Option<usize> {
    let index = index.get(1..).unwrap_or_default().trim_ascii_start();
    if index.starts_with(b"-") {
        return None;
    }
    let digits = index.strip_prefix(b"+").unwrap_or(index);
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.copied().try_fold(0_usize, |number, digit| {
        number
            .checked_mul(10)?
            .checked_add(usize::from(digit - b'0'))
    })
}
