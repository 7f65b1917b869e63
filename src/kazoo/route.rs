//! Which event route a message runs, and the message that tells of a connection.

use super::json::{Value, put_text};
use super::subscription::Subscription;
use std::borrow::Cow;

/// The event that a KEMI callback is told of, and the last route that is tried.
pub const EVENT: &str = "kazoo:consumer-event";

/// The longest name that is looked up, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// The fields of a message that make the name of its route.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    key: &'a str,
    subkey: &'a str,
    own_key: bool,
    own_subkey: bool,
}

impl<'a> Keys<'a> {
    /// The fields that settings name, or those of the message's own subscription.
    #[must_use]
    pub fn new(key: &'a str, subkey: &'a str, subscription: Option<&'a Subscription>) -> Self {
        let own_key = subscription.and_then(|own| own.event_key.as_deref());
        let own_subkey = subscription.and_then(|own| own.event_subkey.as_deref());
        Self {
            key: own_key.unwrap_or(key),
            subkey: own_subkey.unwrap_or(subkey),
            own_key: own_key.is_some(),
            own_subkey: own_subkey.is_some(),
        }
    }
}

/// The names of the routes that `message` may run; the first that exists does. A name that would be
/// too long is left out.
pub fn candidates<'a>(message: &'a Value, keys: &Keys<'a>) -> impl Iterator<Item = String> + 'a {
    let Keys { key, subkey, .. } = *keys;
    let category = field(message, key, keys.own_key);
    let name = field(message, subkey, keys.own_subkey);
    let parts: [Vec<Cow<'a, [u8]>>; 5] = [
        vec![category.clone(), name],
        vec![category],
        vec![key.as_bytes().into(), subkey.as_bytes().into()],
        vec![key.as_bytes().into()],
        Vec::new(),
    ];
    parts.into_iter().filter_map(|parts| route_name(&parts))
}

/// The field's text; without one, what the subscription named, literally.
fn field<'a>(message: &'a Value, key: &'a str, own: bool) -> Cow<'a, [u8]> {
    let text = message.get(key).map(Value::text).unwrap_or_default();
    if text.is_empty() && own {
        return key.as_bytes().into();
    }
    text
}

fn route_name(parts: &[Cow<'_, [u8]>]) -> Option<String> {
    let bytes = EVENT.len() + parts.iter().map(|part| part.len() + 1).sum::<usize>();
    if bytes > NAME_BYTES_MAX {
        return None;
    }
    let mut name = String::with_capacity(bytes);
    name.push_str(EVENT);
    for part in parts {
        name.push('-');
        for byte in part.iter() {
            name.push(match byte {
                b'_' => '-',
                _ => char::from(byte.to_ascii_lowercase()),
            });
        }
    }
    Some(name)
}

/// The message that tells of a connection: `open` or not, to `host` in `zone`. The keys are those
/// of the settings.
#[must_use]
pub fn connection_event(keys: &Keys<'_>, open: bool, host: &str, zone: &str) -> Vec<u8> {
    let state = if open { "open" } else { "closed" };
    let mut event = b"{".to_vec();
    for (index, (name, text)) in [
        (keys.key, "connection"),
        (keys.subkey, state),
        ("host", host),
        ("zone", zone),
    ]
    .into_iter()
    .enumerate()
    {
        event.extend_from_slice(if index == 0 { b" " } else { b", " });
        put_text(name.as_bytes(), &mut event);
        event.extend_from_slice(b" : ");
        put_text(text.as_bytes(), &mut event);
    }
    event.extend_from_slice(b" }");
    event
}
