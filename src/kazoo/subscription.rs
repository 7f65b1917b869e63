//! What `kazoo_subscribe` is given: an exchange, a queue, and what binds them.

use super::SHORT_BYTES_MAX;
use super::json::{Value, parse};
use serde::{Deserialize, Serialize};

/// The most keys or exchanges that one subscription binds.
pub const BINDINGS_MAX: usize = 1024;

/// An exchange, as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// `direct`, `fanout`, `topic`, `headers` or what the server's plugins offer. Empty only if it
    /// is passive.
    pub kind: String,
    /// It must be there already.
    pub passive: bool,
    /// It outlives the server.
    pub durable: bool,
    /// It goes when nothing is bound to it any more.
    pub auto_delete: bool,
    /// Only other exchanges publish to it.
    pub internal: bool,
}

/// A queue, as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name; empty for one that the server makes up.
    pub name: String,
    /// It must be there already.
    pub passive: bool,
    /// It outlives the server.
    pub durable: bool,
    /// It is for one connection.
    pub exclusive: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
}

/// Another exchange, from which messages flow into the subscription's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeBinding {
    /// Where they come from.
    pub exchange: Exchange,
    /// With which keys.
    pub routing: Vec<String>,
}

/// A subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Where messages are published.
    pub exchange: Exchange,
    /// Exchanges to bind to it.
    pub exchange_bindings: Vec<ExchangeBinding>,
    /// Where messages wait.
    pub queue: Queue,
    /// The keys that bind the two; never empty, though a key may be.
    pub routing: Vec<String>,
    /// The server forgets a message when it has sent it.
    pub no_ack: bool,
    /// A message is acknowledged when its route has ended, not when it has come.
    pub wait_for_consumer_ack: bool,
    /// It is made in every zone, not only in the primary one.
    pub federate: bool,
    /// Messages with the same key go to the same worker.
    pub consistent_worker: bool,
    /// The field of the message that is that key; else its routing key is.
    pub consistent_worker_key: Option<String>,
    /// The field for the first part of the event route's name.
    pub event_key: Option<String>,
    /// The field for the second part.
    pub event_subkey: Option<String>,
}

impl Subscription {
    /// The four-argument form of `kazoo_subscribe`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn simple(
        exchange: &[u8],
        kind: &[u8],
        queue: &[u8],
        routing_key: &[u8],
    ) -> Result<Self, String> {
        let subscription = Self {
            exchange: Exchange {
                name: short("exchange", exchange)?,
                kind: short("type", kind)?,
                ..Exchange::default()
            },
            queue: Queue {
                name: short("queue", queue)?,
                auto_delete: true,
                ..Queue::default()
            },
            routing: vec![short("routing", routing_key)?],
            no_ack: true,
            ..Self::default()
        };
        subscription.check()
    }

    /// The JSON form of `kazoo_subscribe`. Members that it does not know are not looked at.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let given = parse(json).map_err(|mistake| mistake.to_string())?;
        if given.object().is_none() {
            return Err("the JSON is not an object".to_owned());
        }
        let exchange = text(&given, "exchange")?;
        let queue = text(&given, "queue")?;
        let subscription = Self {
            exchange: Exchange::from_value(exchange, given.get("exchange-def").unwrap_or(&given))?,
            exchange_bindings: exchange_bindings(given.get("exchange-bindings"))?,
            queue: Queue::from_value(queue, given.get("queue-def").unwrap_or(&given)),
            routing: routing(given.get("routing"))?.unwrap_or_else(|| vec![String::new()]),
            no_ack: flag(&given, "no_ack", true),
            wait_for_consumer_ack: flag(&given, "wait_for_consumer_ack", false),
            federate: flag(&given, "federate", false),
            consistent_worker: flag(&given, "consistent-worker", false),
            consistent_worker_key: some(text(&given, "consistent-worker-key")?),
            event_key: some(text(&given, "event_key")?),
            event_subkey: some(text(&given, "event_subkey")?),
        };
        subscription.check()
    }

    fn check(self) -> Result<Self, String> {
        let sources = self.exchange_bindings.iter().map(|from| &from.exchange);
        for exchange in sources.chain([&self.exchange]) {
            if exchange.name.is_empty() {
                return Err("exchange is missing".to_owned());
            }
            if exchange.kind.is_empty() && !exchange.passive {
                return Err(format!("the type of exchange {} is missing", exchange.name));
            }
        }
        Ok(self)
    }

    /// The worker that `message` must go to, one of `workers`; none if any will do.
    #[must_use]
    pub fn worker(&self, message: &Value, routing_key: &[u8], workers: usize) -> Option<usize> {
        if !self.consistent_worker {
            return None;
        }
        let field = self.consistent_worker_key.as_deref();
        let key = field.and_then(|field| message.get(field)).map(Value::text);
        let hash = fnv(key.as_deref().unwrap_or(routing_key));
        usize::try_from(hash.checked_rem(u64::try_from(workers).ok()?)?).ok()
    }
}

/// FNV-1a: the same for every engine, so a worker keeps its keys over a restart.
fn fnv(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    let hash = bytes.iter().fold(start, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    // Its lowest bits alone depend on the bytes' lowest bits only.
    hash ^ (hash >> 32)
}

impl Exchange {
    fn from_value(name: String, given: &Value) -> Result<Self, String> {
        Ok(Self {
            name,
            kind: text(given, "type")?,
            passive: flag(given, "passive", false),
            durable: flag(given, "durable", false),
            auto_delete: flag(given, "auto_delete", false),
            internal: flag(given, "internal", false),
        })
    }
}

impl Queue {
    fn from_value(name: String, given: &Value) -> Self {
        Self {
            name,
            passive: flag(given, "passive", false),
            durable: flag(given, "durable", false),
            exclusive: flag(given, "exclusive", false),
            auto_delete: flag(given, "auto_delete", true),
        }
    }
}

fn exchange_bindings(given: Option<&Value>) -> Result<Vec<ExchangeBinding>, String> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let Some(object) = given.object() else {
        return Err("exchange-bindings must be an object".to_owned());
    };
    check_count("exchange-bindings", object.len())?;
    let mut bindings = Vec::new();
    for (name, source) in object.iter() {
        let name = short("exchange-bindings", name)?;
        let Some(routing) = routing(source.get("routing"))? else {
            return Err(format!("exchange-bindings: {name} has no routing"));
        };
        let exchange = Exchange::from_value(name, source)?;
        bindings.push(ExchangeBinding { exchange, routing });
    }
    Ok(bindings)
}

/// One key or several.
fn routing(given: Option<&Value>) -> Result<Option<Vec<String>>, String> {
    let keys = match given {
        None => return Ok(None),
        Some(Value::Array(keys)) => keys.as_slice(),
        Some(key @ Value::Text(_)) => std::slice::from_ref(key),
        Some(_) => return Err("routing must be a text or texts".to_owned()),
    };
    check_count("routing", keys.len())?;
    let keys = keys.iter().map(|key| match key {
        Value::Array(_) | Value::Object(_) => Err("routing must be a text or texts".to_owned()),
        _ => short("routing", &key.text()),
    });
    let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
    Ok(Some(keys).filter(|keys| !keys.is_empty()))
}

fn check_count(name: &str, count: usize) -> Result<(), String> {
    match count {
        ..=BINDINGS_MAX => Ok(()),
        _ => Err(format!(
            "{name} has {count} entries, more than {BINDINGS_MAX}"
        )),
    }
}

fn flag(given: &Value, name: &str, default: bool) -> bool {
    given
        .get(name)
        .map_or(default, |value| value.integer() != 0)
}

fn text(given: &Value, name: &str) -> Result<String, String> {
    let text = given.get(name).map(Value::text).unwrap_or_default();
    short(name, &text)
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A text that AMQP can carry as a short string.
fn short(name: &str, bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > SHORT_BYTES_MAX {
        return Err(format!("{name} is longer than {SHORT_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("{name} is not UTF-8"))
}
