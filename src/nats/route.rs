//! Which event route a message runs.
//!
//! Kamailio's grammar allows letters, digits, `-` and `_` in the second part of an event route's
//! name, a letter first; subjects have dots and wildcards. The mapping and the order of the
//! lookup are in the manual, section "Event Routes".

use super::subject::tokens;

const PREFIX: &str = "nats:";

/// Event routes of the connection; messages never run them.
const RESERVED: [&str; 2] = ["connected", "disconnected"];

/// The name of the route for exactly this subject or pattern, without the `nats:` in front.
#[must_use]
pub fn mapped(subject: &[u8]) -> String {
    let mut name = String::with_capacity(subject.len());
    for (index, token) in tokens(subject).enumerate() {
        if index > 0 {
            name.push('-');
        }
        match token {
            b"*" => name.push_str("any"),
            b">" => name.push_str("all"),
            _ => name.extend(token.iter().map(|byte| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => char::from(*byte),
                _ => '_',
            })),
        }
    }
    if RESERVED.contains(&name.as_str()) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert_str(0, "subject-");
    }
    name
}

/// The names under which the route for a message is looked up, most specific first: the subject,
/// the subscription's pattern, `P.>` for each prefix of the subject, and `>`.
pub fn candidates<'a>(subject: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = String> + 'a {
    let dots = subject
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'.');
    let prefixes = dots.map(|(at, _)| {
        let prefix = subject.get(..at).unwrap_or_default();
        mapped(&[prefix, b".>"].concat())
    });
    [mapped(subject), mapped(pattern)]
        .into_iter()
        .chain(prefixes)
        .chain([mapped(b">")])
        .map(|name| format!("{PREFIX}{name}"))
}

/// The name that a KEMI callback is given: the pattern as it was configured.
#[must_use]
pub fn event_name(pattern: &str) -> String {
    format!("{PREFIX}{pattern}")
}

/// Those of the event routes `defined` that can serve the subscription `pattern`: the ones that all
/// its messages may fall back to, then those for single subjects under a wildcard.
#[must_use]
pub fn serving(pattern: &[u8], defined: &[String]) -> Vec<String> {
    let all: Vec<&[u8]> = tokens(pattern).collect();
    let literal = all
        .iter()
        .take_while(|token| **token != b"*" && **token != b">")
        .count();
    let prefix = |tokens: usize| all.get(..tokens).unwrap_or_default().join(&b'.');
    let wildcard = literal < all.len();
    let longest = if wildcard {
        literal
    } else {
        literal.saturating_sub(1)
    };
    let prefixes = (1..=longest)
        .rev()
        .map(|n| mapped(&[prefix(n).as_slice(), b".>"].concat()));
    let shared = [mapped(pattern)]
        .into_iter()
        .chain(prefixes)
        .chain([mapped(b">")]);
    let mut serving: Vec<String> = Vec::new();
    for name in shared.map(|name| format!("{PREFIX}{name}")) {
        if defined.contains(&name) && !serving.contains(&name) {
            serving.push(name);
        }
    }
    if wildcard {
        let start = match literal {
            0 => PREFIX.to_owned(),
            _ => format!("{PREFIX}{}-", mapped(&prefix(literal))),
        };
        let connection = |name: &str| RESERVED.iter().any(|r| name == format!("{PREFIX}{r}"));
        for name in defined
            .iter()
            .filter(|name| name.starts_with(&start) && !connection(name))
        {
            if !serving.contains(name) {
                serving.push(name.clone());
            }
        }
    }
    serving
}
