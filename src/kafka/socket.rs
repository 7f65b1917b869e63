//! Kafka sockets: `kafka:brokers/topic?g.property=value&t.property=value&key=callid`.

use super::property::{self, Class, Property};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name of a topic.
const TOPIC_BYTES_MAX: usize = 249;

/// What the library takes in front of an address.
const PROTOCOLS: [&str; 5] = ["PLAINTEXT", "SSL", "SASL", "SASL_PLAINTEXT", "SASL_SSL"];

/// Where messages go, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// What the library is told, in the order given.
    pub properties: Vec<Property>,
    /// An event's record gets the Call-ID as its key.
    pub key_callid: bool,
}

/// As it is written, without secrets.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka:{}/{}", self.brokers, self.topic)
    }
}

/// What is wrong, and at which character (from 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub at: usize,
    /// What.
    pub why: String,
}

impl Mistake {
    fn new(at: usize, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { at, why }
    }

    fn behind(self, bytes: usize) -> Self {
        Self::new(self.at + bytes, self.why)
    }

    /// A sentence about `text`, whose properties `separator` parts, without its secrets, that points at
    /// the character.
    #[must_use]
    pub fn about(&self, text: &str, separator: char) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        format!(
            "\"{}\": character {}, behind \"{}\": {}",
            property::redacted(text, separator),
            before.chars().count() + 1,
            property::redacted(before, separator),
            self.why
        )
    }
}

/// Reads a socket; `kafka:` in front may be missing.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<Socket, Mistake> {
    let rest = text.strip_prefix("kafka:").unwrap_or(text);
    let start = text.len() - rest.len();
    let (place, properties) = match rest.split_once('?') {
        Some((place, properties)) => (place, Some(properties)),
        None => (rest, None),
    };
    let end = start + place.len();
    let Some((brokers, topic)) = place.split_once('/') else {
        return Err(Mistake::new(end, "the topic is missing: /topic"));
    };
    check_brokers(brokers).map_err(|mistake| mistake.behind(start))?;
    let at = start + brokers.len() + 1;
    check_topic(topic).map_err(|mistake| mistake.behind(at))?;
    let mut socket = Socket {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        properties: Vec::new(),
        key_callid: false,
    };
    if let Some(properties) = properties {
        parse_properties(properties, &mut socket).map_err(|mistake| mistake.behind(end + 1))?;
    }
    Ok(socket)
}

/// Reads `[ID]socket`, blanks in front of the bracket allowed.
///
/// # Errors
/// The first mistake.
pub fn parse_with_id(text: &str) -> Result<(String, Socket), Mistake> {
    let rest = text.trim_start();
    let start = text.len() - rest.len();
    let Some(rest) = rest.strip_prefix('[') else {
        return Err(Mistake::new(
            start,
            "it must begin with an ID in brackets: [ID]",
        ));
    };
    let Some((id, socket)) = rest.split_once(']') else {
        return Err(Mistake::new(
            text.len(),
            "the ID's closing bracket is missing",
        ));
    };
    if id.trim().is_empty() {
        return Err(Mistake::new(start + 1, "the ID is empty"));
    }
    let at = start + 1 + id.len() + 1;
    let socket = parse(socket).map_err(|mistake| mistake.behind(at))?;
    Ok((id.trim().to_owned(), socket))
}

/// Checks a list of `host:port`. As the library has it, blanks around the commas and empty parts mean nothing.
///
/// # Errors
/// The first mistake.
pub fn check_brokers(brokers: &str) -> Result<(), Mistake> {
    let (mut at, mut any) = (0, false);
    for part in brokers.split(',') {
        let broker = part.trim_start();
        let start = at + part.len() - broker.len();
        let broker = broker.trim_end();
        if !broker.is_empty() {
            check_broker(broker).map_err(|mistake| mistake.behind(start))?;
            any = true;
        }
        at += part.len() + 1;
    }
    if any {
        Ok(())
    } else {
        Err(Mistake::new(0, "a broker's host is missing: host:port"))
    }
}

/// A broker of kafka's may have its protocol in front.
fn check_broker(broker: &str) -> Result<(), Mistake> {
    match broker.split_once("://") {
        Some((protocol, address)) if PROTOCOLS.contains(&&*protocol.to_ascii_uppercase()) => {
            check_address(address).map_err(|mistake| mistake.behind(protocol.len() + 3))
        }
        _ => check_address(broker),
    }
}

fn check_address(broker: &str) -> Result<(), Mistake> {
    let bracket = broker.starts_with('[');
    let host_end = if bracket {
        broker.find(']').map(|at| at + 1)
    } else {
        broker.find(':')
    };
    if bracket && host_end.is_none() {
        return Err(Mistake::new(0, "the address's closing bracket is missing"));
    }
    let (host, port) = broker.split_at(host_end.unwrap_or(broker.len()));
    if host.is_empty() || host == "[]" {
        return Err(Mistake::new(0, "a broker's host is missing: host:port"));
    }
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'));
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    if let Some(at) = inner.find(odd) {
        let at = at + usize::from(bracket);
        return Err(Mistake::new(at, "this cannot stand in a broker's host"));
    }
    if port.is_empty() {
        return Ok(());
    }
    match port.strip_prefix(':').map(str::parse::<u16>) {
        Some(Ok(1..)) => Ok(()),
        _ => Err(Mistake::new(
            host.len() + usize::from(port.starts_with(':')),
            "the port must be a number from 1 to 65535",
        )),
    }
}

/// Checks a topic's name.
///
/// # Errors
/// The first mistake.
pub fn check_topic(topic: &str) -> Result<(), Mistake> {
    if topic.is_empty() {
        return Err(Mistake::new(0, "the topic is empty"));
    }
    if topic == "." || topic == ".." {
        return Err(Mistake::new(0, "a topic cannot be called . or .."));
    }
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if let Some(at) = topic.find(odd) {
        return Err(Mistake::new(
            at,
            "a topic has letters, digits, '.', '_' and '-' only",
        ));
    }
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(Mistake::new(
            TOPIC_BYTES_MAX,
            "a topic has up to 249 characters",
        ));
    }
    Ok(())
}

fn parse_properties(text: &str, socket: &mut Socket) -> Result<(), Mistake> {
    if let Some(at) = text.find('?') {
        return Err(Mistake::new(at, "there is a second '?'"));
    }
    let mut at = 0;
    for pair in text.split('&') {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Mistake::new(at, "a property is name=value"));
        };
        if name == "key" {
            if value != "callid" {
                return Err(Mistake::new(at + 4, "the only key is callid: key=callid"));
            }
            socket.key_callid = true;
        } else {
            let property = parse_property(name, value).map_err(|mistake| mistake.behind(at))?;
            socket.properties.push(property);
        }
        at += pair.len() + 1;
    }
    Ok(())
}

/// Reads a property with its prefix.
///
/// # Errors
/// The first mistake; its place counts from the name.
pub fn parse_property(name: &str, value: &str) -> Result<Property, Mistake> {
    let (class, bare) = if let Some(bare) = name.strip_prefix("g.") {
        (Class::Global, bare)
    } else if let Some(bare) = name.strip_prefix("t.") {
        (Class::Topic, bare)
    } else {
        return Err(Mistake::new(
            0,
            format!("the property {name} has neither g. nor t. in front"),
        ));
    };
    if bare.is_empty() {
        return Err(Mistake::new(2, "the property's name is missing"));
    }
    property::check(class, bare).map_err(|why| Mistake::new(0, format!("{bare} {why}")))?;
    if value.is_empty() {
        return Err(Mistake::new(name.len() + 1, format!("{bare} has no value")));
    }
    Ok(Property {
        name: bare.to_owned(),
        value: value.to_owned(),
    })
}
