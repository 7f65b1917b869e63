//! Names of events, and of the routes that handle them.

/// Bytes of the longest name.
pub const NAME_BYTES_MAX: usize = crate::shm::registry::EVENT_BYTES;

/// The name as text.
///
/// # Errors
/// What is wrong with it, to be said behind the name.
pub fn check(name: &[u8]) -> Result<&str, &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Err("is longer than 128 bytes");
    }
    let text = std::str::from_utf8(name).map_err(|_| "is not UTF-8")?;
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a blank or a control character");
    }
    Ok(text)
}

/// The event routes that may handle the event, the first that exists does. Kamailio wants a colon in
/// the name of an event route, which most events have not.
#[must_use]
pub fn routes(name: &str) -> Vec<String> {
    let own = format!("event:{name}");
    if name.contains(':') {
        vec![own, name.to_owned()]
    } else {
        vec![own]
    }
}
