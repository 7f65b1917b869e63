//! Lines of `consume`: `brokers=host:port,...;group=g;topics=a,b;workers=2;g.property=value;...`.

use super::property::Property;
use super::socket::{self, Mistake};
use serde::{Deserialize, Serialize};

/// The most event workers one line can have.
const WORKERS_MAX: usize = 64;

/// One member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// The consumer group.
    pub group: String,
    /// The topics; `^` in front makes one a pattern, as the library has it.
    pub topics: Vec<String>,
    /// Event workers: each has a part of the partitions.
    pub workers: usize,
    /// What the library is told, in the order given.
    pub properties: Vec<Property>,
}

/// Reads a line.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<Consumer, Mistake> {
    let mut consumer = Consumer {
        brokers: String::new(),
        group: String::new(),
        topics: Vec::new(),
        workers: 1,
        properties: Vec::new(),
    };
    let mut at = 0;
    for part in text.split(';') {
        let blanks = part.len() - part.trim_start().len();
        let pair = part.trim();
        if !pair.is_empty() {
            let place = at + blanks;
            let Some((name, value)) = pair.split_once('=') else {
                return Err(wrong(place, "a part is name=value"));
            };
            take(&mut consumer, name.trim_end(), value).map_err(|mistake| Mistake {
                at: mistake.at + place,
                why: mistake.why,
            })?;
        }
        at += part.len() + 1;
    }
    let missing = [
        (consumer.brokers.is_empty(), "brokers= is missing"),
        (consumer.group.is_empty(), "group= is missing"),
        (consumer.topics.is_empty(), "topics= is missing"),
    ];
    match missing.iter().find(|(missing, _)| *missing) {
        Some((_, why)) => Err(wrong(text.len(), why)),
        None => Ok(consumer),
    }
}

fn take(consumer: &mut Consumer, name: &str, value: &str) -> Result<(), Mistake> {
    let behind = name.len() + 1;
    let value_trimmed = value.trim();
    match name {
        "brokers" => {
            socket::check_brokers(value_trimmed).map_err(|m| wrong(m.at + behind, &m.why))?;
            value_trimmed.clone_into(&mut consumer.brokers);
        }
        "group" => value_trimmed.clone_into(&mut consumer.group),
        "topics" => {
            let mut at = behind;
            for topic in value.split(',') {
                let name = topic.trim();
                if !name.starts_with('^') {
                    socket::check_topic(name).map_err(|m| wrong(m.at + at, &m.why))?;
                }
                if consumer.topics.iter().any(|other| other == name) {
                    return Err(wrong(at, &format!("{name} is there already")));
                }
                consumer.topics.push(name.to_owned());
                at += topic.len() + 1;
            }
        }
        "workers" => match value_trimmed.parse() {
            Ok(workers @ 1..=WORKERS_MAX) => consumer.workers = workers,
            _ => return Err(wrong(behind, "workers must be a number from 1 to 64")),
        },
        _ if name.starts_with("g.") || name.starts_with("t.") => {
            let property = socket::parse_property(name, value_trimmed)?;
            consumer.properties.push(property);
        }
        _ => {
            let why = format!(
                "there is no {name}: it must be brokers, group, topics, workers, g.property or t.property"
            );
            return Err(wrong(0, &why));
        }
    }
    Ok(())
}

fn wrong(at: usize, why: &str) -> Mistake {
    let why = why.to_owned();
    Mistake { at, why }
}
