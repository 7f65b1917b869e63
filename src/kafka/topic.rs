//! Topics and properties of the kafka module, as its settings have them: what Kamailio's `parse_params` reads, with
//! values that may stand in quotes.

use super::property::{self, IN_LINES, Property};
use super::socket::{self, Mistake};

/// A pair of a line, and where it begins and its value does.
struct Pair<'a> {
    at: usize,
    name: &'a str,
    value_at: usize,
    value: &'a str,
}

fn split(text: &str) -> Result<Vec<Pair<'_>>, Mistake> {
    let mut found = Vec::new();
    let mut start = 0;
    for piece in property::pieces(text, IN_LINES) {
        let part = piece.strip_suffix(IN_LINES).unwrap_or(piece);
        let at = start + part.len() - part.trim_start().len();
        if !part.trim().is_empty() {
            found.push(pair(part, start, at)?);
        }
        start += piece.len();
    }
    Ok(found)
}

fn pair(part: &str, start: usize, at: usize) -> Result<Pair<'_>, Mistake> {
    let wrong = |at, why: &str| Mistake {
        at,
        why: why.to_owned(),
    };
    let (name, value) = part
        .split_once('=')
        .ok_or_else(|| wrong(at, "a property is name=value"))?;
    let blanks = value.len() - value.trim_start().len();
    let value_at = start + name.len() + 1 + blanks;
    let (name, value) = (name.trim(), value.trim());
    let (value_at, value) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = value.get(1..).unwrap_or_default();
            let inner = inner
                .strip_suffix(quote)
                .filter(|inner| !inner.contains(quote))
                .ok_or_else(|| wrong(value_at, "a quoted value ends with its quote"))?;
            (value_at + 1, inner)
        }
        _ => (value_at, value),
    };
    if name.is_empty() || value.is_empty() {
        return Err(wrong(at, "a property is name=value"));
    }
    Ok(Pair {
        at,
        name,
        value_at,
        value,
    })
}

fn property(pair: &Pair<'_>, class: property::Class) -> Result<Property, Mistake> {
    let Pair {
        at, name, value, ..
    } = *pair;
    property::check(class, name).map_err(|why| Mistake {
        at,
        why: format!("{name} {why}"),
    })?;
    Ok(Property {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

/// `name=value;name=value`.
pub(super) fn pairs(text: &str, class: property::Class) -> Result<Vec<Property>, Mistake> {
    let found = split(text)?;
    found.iter().map(|pair| property(pair, class)).collect()
}

/// `name=topic;property=value;...`, the name anywhere.
pub(super) fn topic(text: &str) -> Result<(String, Vec<Property>), Mistake> {
    let mut topic = None;
    let mut properties = Vec::new();
    for pair in split(text)? {
        if pair.name != "name" {
            properties.push(property(&pair, property::Class::Topic)?);
            continue;
        }
        if topic.is_some() {
            return Err(Mistake {
                at: pair.at,
                why: "there is a second name=".to_owned(),
            });
        }
        socket::check_topic(pair.value).map_err(|mistake| Mistake {
            at: mistake.at + pair.value_at,
            why: mistake.why,
        })?;
        topic = Some(pair.value.to_owned());
    }
    let topic = topic.ok_or_else(|| Mistake {
        at: 0,
        why: "the topic's name is missing: name=TOPIC".to_owned(),
    })?;
    Ok((topic, properties))
}
