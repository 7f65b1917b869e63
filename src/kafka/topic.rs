//! Topics and properties of the kafka module, as its settings have them.

use super::property::{self, Property};
use super::socket::{self, Mistake};

/// `name=value;name=value`.
pub(super) fn pairs(text: &str, class: property::Class) -> Result<Vec<Property>, Mistake> {
    let mut properties = Vec::new();
    let mut at = 0;
    for part in text.split(';') {
        let place = at + part.len() - part.trim_start().len();
        at += part.len() + 1;
        let pair = part.trim();
        if pair.is_empty() {
            continue;
        }
        let wrong = |why: String| Mistake { at: place, why };
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| wrong("a property is name=value".to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(wrong("a property is name=value".to_owned()));
        }
        property::check(class, name).map_err(|why| wrong(format!("{name} {why}")))?;
        properties.push(Property {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(properties)
}

/// `name=topic;property=value;...`.
pub(super) fn topic(text: &str) -> Result<(String, Vec<Property>), Mistake> {
    let first = text.split(';').next().unwrap_or_default();
    let name = first.trim_start().strip_prefix("name=");
    let Some(name) = name.map(str::trim) else {
        return Err(Mistake {
            at: 0,
            why: "it must begin with name=".to_owned(),
        });
    };
    let behind = |mistake: Mistake, bytes: usize| Mistake {
        at: mistake.at + bytes,
        why: mistake.why,
    };
    let start = first.find('=').map_or(0, |at| at + 1);
    socket::check_topic(name).map_err(|mistake| behind(mistake, start))?;
    let rest = text.get(first.len() + 1..).unwrap_or_default();
    let properties =
        pairs(rest, property::Class::Topic).map_err(|mistake| behind(mistake, first.len() + 1))?;
    Ok((name.to_owned(), properties))
}
