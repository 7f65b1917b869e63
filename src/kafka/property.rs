//! Properties of the Kafka client library: which are whose, and which are never shown.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One property.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name, without `g.` or `t.`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Shows no secrets.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if is_secret(&self.name) {
            "***"
        } else {
            &self.value
        };
        write!(f, "{}={shown}", self.name)
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a property belongs to, by its prefix in a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `g.`
    Global,
    /// `t.`
    Topic,
}

/// Whether a property's value must never be shown.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "jaas",
        "pem",
        "sasl.oauthbearer.config",
    ];
    words.iter().any(|word| name.contains(word))
}

/// What parts the properties of a socket.
pub const IN_SOCKETS: char = '&';

/// What parts the properties of a `consume`, `configuration` or `topic` line.
pub const IN_LINES: char = ';';

/// `text`, sound or not, with the values of secrets left out; `separator` parts its properties.
#[must_use]
pub fn redacted(text: &str, separator: char) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut hides = false;
    for piece in pieces(text, separator) {
        let part = piece.strip_suffix(separator).unwrap_or(piece);
        let secret = behind_secret_name(part);
        // A part without a name may be the rest of a secret that has a separator in it.
        hides = secret.is_some() || (hides && !part.contains('='));
        match secret {
            Some(at) => shown.push_str(part.get(..at).unwrap_or_default()),
            None if hides => {}
            None => shown.push_str(part),
        }
        if hides {
            shown.push_str("***");
        }
        shown.push_str(piece.get(part.len()..).unwrap_or_default());
    }
    shown
}

/// The parts of a text, each with the separator behind it. In lines a value may stand in quotes, and a separator there parts
/// nothing.
pub(super) fn pieces(text: &str, separator: char) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let from = if separator == IN_LINES {
            quoted_until(rest)
        } else {
            0
        };
        let behind = rest.get(from..).unwrap_or_default();
        let end = behind
            .find(separator)
            .map_or(rest.len(), |at| from + at + separator.len_utf8());
        let (piece, next) = rest.split_at(end);
        found.push(piece);
        rest = next;
    }
    found
}

/// Where the quoted value of the first pair of a line ends, all of it if it does not; 0 if its value is not quoted.
fn quoted_until(text: &str) -> usize {
    let Some(at) = text.find(['=', IN_LINES]) else {
        return 0;
    };
    let value = text.get(at + 1..).unwrap_or_default().trim_start();
    let Some(quote @ ('"' | '\'')) = value.chars().next() else {
        return 0;
    };
    if text.as_bytes().get(at) != Some(&b'=') {
        return 0;
    }
    let inner = value.get(1..).unwrap_or_default();
    let start = text.len() - inner.len();
    inner.find(quote).map_or(text.len(), |end| start + end)
}

/// Where the value of a secret begins.
fn behind_secret_name(part: &str) -> Option<usize> {
    let mut ends = part.match_indices('=').map(|(at, _)| at);
    let end = ends.find(|at| is_secret(part.get(..*at).unwrap_or_default()))?;
    Some(end + 1)
}

/// The properties of topics, as the library's CONFIGURATION.md classifies them. All others are global.
const OF_TOPICS: [&str; 21] = [
    "acks",
    "request.required.acks",
    "request.timeout.ms",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "queuing.strategy",
    "produce.offset.report",
    "partitioner",
    "compression.codec",
    "compression.type",
    "compression.level",
    "auto.commit.enable",
    "enable.auto.commit",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "offset.store.method",
    "consume.callback.max.messages",
    "msg_order_cmp",
    "partitioner_cb",
];

const COMMITTED: &str = "the group is told what was handled when routes have ended";

/// What the connector sets or relies on, and why nobody else can.
const OURS: [(&str, &str); 12] = [
    (
        "bootstrap.servers",
        "the brokers are given elsewhere in this line",
    ),
    (
        "metadata.broker.list",
        "the brokers are given elsewhere in this line",
    ),
    ("group.id", "the group is given elsewhere in this line"),
    ("transactional.id", "transactions are not supported"),
    (
        "delivery.report.only.error",
        "every message needs its report",
    ),
    (
        "enable.auto.offset.store",
        "offsets are stored when routes have ended",
    ),
    ("enable.auto.commit", COMMITTED),
    ("auto.commit.enable", COMMITTED),
    ("offset.store.method", COMMITTED),
    (
        "enable.partition.eof",
        "a partition's end is of no use here",
    ),
    ("log.queue", "the module needs it"),
    ("plugin.library.paths", "plug-ins are not supported"),
];

/// Checks that a property may be given, with that prefix.
///
/// # Errors
/// Why not, in words that follow the property's name.
pub fn check(class: Class, name: &str) -> Result<(), String> {
    if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name) {
        return Err(format!("cannot be set: {why}"));
    }
    if class == Class::Topic && !OF_TOPICS.contains(&name) {
        return Err(
            "is no property of topics; global ones have g. in front or stand in configuration"
                .to_owned(),
        );
    }
    Ok(())
}

/// The value of a property, the last one given.
#[must_use]
pub fn find<'a>(properties: &'a [Property], name: &str) -> Option<&'a str> {
    let found = properties.iter().rev().find(|p| p.name == name)?;
    Some(&found.value)
}

/// Whether these properties leave the idempotent producer on, which is the default here: messages keep
/// their order and come once when the library sends them again.
#[must_use]
pub fn allow_idempotence(properties: &[Property]) -> bool {
    let get = |names: &[&str]| {
        let found = properties
            .iter()
            .rev()
            .find(|p| names.contains(&p.name.as_str()));
        found.map(|p| p.value.trim())
    };
    get(&["enable.idempotence"]).is_none()
        && get(&["acks", "request.required.acks"]).is_none_or(|acks| matches!(acks, "all" | "-1"))
        && get(&["queuing.strategy"]).is_none_or(|strategy| strategy == "fifo")
        && get(&["retries", "message.send.max.retries"]).is_none_or(|retries| retries != "0")
        && get(&["max.in.flight", "max.in.flight.requests.per.connection"])
            .is_none_or(|most| most.parse::<u32>().is_ok_and(|most| most <= 5))
}
