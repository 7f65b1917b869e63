//! Which event route a record runs.
//!
//! Kamailio's grammar allows letters, digits, `-` and `_` in the second part of an event route's name,
//! a letter first; topics may have dots and begin with a digit. The mapping and the order of the lookup
//! are in the manual, section "Event Routes".

/// What the names of the event routes begin with.
pub const PREFIX: &str = "kafka:";

/// The name of the route for exactly this topic, without the `kafka:` in front.
#[must_use]
pub fn mapped(topic: &str) -> String {
    let name = topic.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_'), "-");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("topic-{name}")
    }
}

/// The names under which the route for a record is looked up, most specific first: the topic, `P-all`
/// for each `P` that the topic has in front of a dot, and `all`.
pub fn candidates(topic: &str) -> impl Iterator<Item = String> + '_ {
    let dots = topic.rmatch_indices('.');
    let prefixes =
        dots.map(|(at, _)| format!("{}-all", mapped(topic.get(..at).unwrap_or_default())));
    std::iter::once(mapped(topic))
        .chain(prefixes)
        .chain(std::iter::once("all".to_owned()))
        .map(|name| format!("{PREFIX}{name}"))
}

/// The name that a KEMI callback is given: the topic as it is.
#[must_use]
pub fn event_name(topic: &str) -> String {
    format!("{PREFIX}{topic}")
}
