//! Where events go: `kafka:...`, `nats:subject`, `kazoo:exchange/routing_key`, `evapi:` or `evapi:tag`.

use crate::evapi::TAG_BYTES_MAX;
use crate::kafka::property::{self, IN_SOCKETS};
use crate::kafka::socket as kafka;
use crate::nats::subject;
use std::fmt;

/// Bytes of the longest socket.
pub const SOCKET_BYTES_MAX: usize = crate::shm::registry::SOCKET_BYTES;

/// What AMQP can carry as a name.
const AMQP_BYTES_MAX: usize = 255;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Socket {
    /// A topic of Kafka's.
    Kafka {
        /// As it was given; its properties may be secret.
        text: String,
        /// What it says.
        parsed: Box<kafka::Socket>,
    },
    /// A subject of NATS's.
    Nats(String),
    /// An exchange of RabbitMQ's, and a routing key.
    Kazoo {
        /// Empty for the default exchange.
        exchange: String,
        /// May be empty.
        routing_key: String,
    },
    /// The clients of the event socket: all, or those with a tag.
    Evapi(Option<String>),
}

impl Socket {
    /// Reads a socket.
    ///
    /// # Errors
    /// What is wrong, in one sentence without secrets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = property::redacted(text, IN_SOCKETS);
        if text.len() > SOCKET_BYTES_MAX {
            return Err(format!("\"{shown}\": it is longer than 1024 bytes"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "\"{shown}\": it has a blank or a control character"
            ));
        }
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "kafka" => match kafka::parse(text) {
                Ok(parsed) => Ok(Self::Kafka {
                    text: text.to_owned(),
                    parsed: Box::new(parsed),
                }),
                Err(mistake) => Err(mistake.about(text, IN_SOCKETS)),
            },
            "nats" => match subject::check_publish(rest.as_bytes()) {
                Ok(()) => Ok(Self::Nats(rest.to_owned())),
                Err(why) => Err(format!("\"{shown}\": the subject {why}")),
            },
            "kazoo" => kazoo(rest).map_err(|why| format!("\"{shown}\": {why}")),
            "evapi" if rest.is_empty() => Ok(Self::Evapi(None)),
            "evapi" if rest.len() <= TAG_BYTES_MAX => Ok(Self::Evapi(Some(rest.to_owned()))),
            "evapi" => Err(format!("\"{shown}\": the tag is longer than 63 bytes")),
            _ => Err(format!(
                "\"{shown}\": it must begin with kafka:, nats:, kazoo: or evapi:"
            )),
        }
    }

    /// As it was given, secrets and all.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Kafka { text, .. } => text.clone(),
            _ => self.to_string(),
        }
    }

    /// The module whose connector takes it there.
    #[must_use]
    pub fn module(&self) -> &'static str {
        match self {
            Self::Kafka { .. } => "event_kafka",
            Self::Nats(_) => "nats",
            Self::Kazoo { .. } => "kazoo",
            Self::Evapi(_) => "evapi",
        }
    }

    /// Whether the event's record gets the Call-ID as its key.
    #[must_use]
    pub fn wants_callid(&self) -> bool {
        matches!(self, Self::Kafka { parsed, .. } if parsed.key_callid)
    }
}

/// As it was given, but for secrets.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kafka { text, .. } => f.write_str(&property::redacted(text, IN_SOCKETS)),
            Self::Nats(subject) => write!(f, "nats:{subject}"),
            Self::Kazoo {
                exchange,
                routing_key,
            } => write!(f, "kazoo:{exchange}/{routing_key}"),
            Self::Evapi(tag) => write!(f, "evapi:{}", tag.as_deref().unwrap_or_default()),
        }
    }
}

fn kazoo(rest: &str) -> Result<Socket, &'static str> {
    let Some((exchange, routing_key)) = rest.split_once('/') else {
        return Err("it must be kazoo:exchange/routing_key");
    };
    if exchange.len().max(routing_key.len()) > AMQP_BYTES_MAX {
        return Err("exchange and routing key have up to 255 bytes");
    }
    Ok(Socket::Kazoo {
        exchange: exchange.to_owned(),
        routing_key: routing_key.to_owned(),
    })
}
