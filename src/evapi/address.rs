//! Where to listen: `127.0.0.1:8448`, `[::1]:8448`, `host.name:8448`, `unix:/path`, each TCP form
//! also behind `tls:`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The port of an address without one.
const PORT: u16 = 8448;

/// The longest path of a UNIX socket, in bytes: what the system's address structure holds.
const PATH_BYTES_MAX: usize = 107;

/// A `bind_addr`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// TCP.
    Tcp {
        /// IP address or name; IPv6 without brackets.
        host: String,
        /// Never 0.
        port: u16,
        /// Clients speak TLS.
        tls: bool,
    },
    /// A UNIX socket, by its path.
    Unix(String),
}

impl Address {
    /// True if clients speak TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                let tls = if *tls { "tls:" } else { "" };
                if host.contains(':') {
                    write!(f, "{tls}[{host}]:{port}")
                } else {
                    write!(f, "{tls}{host}:{port}")
                }
            }
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// Reads a `bind_addr`.
///
/// # Errors
/// The address and what is wrong with it.
pub fn parse(text: &str) -> Result<Address, String> {
    let wrong = |why: &str| Err(format!("\"{text}\": {why}"));
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.len() {
            _ if !path.starts_with('/') => wrong("the path must begin with /"),
            ..=PATH_BYTES_MAX => Ok(Address::Unix(path.to_owned())),
            _ => wrong("the path is too long for a socket"),
        };
    }
    let (tls, rest) = match text.strip_prefix("tls:") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let rest = rest.strip_prefix("tcp:").unwrap_or(rest);
    let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
        let Some((host, behind)) = inner.split_once(']') else {
            return wrong("the bracket is not closed");
        };
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return wrong("there is no IPv6 address in the brackets");
        }
        match behind.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if behind.is_empty() => (host, None),
            None => return wrong("behind the bracket only :port can follow"),
        }
    } else {
        match rest.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return wrong("an IPv6 address needs brackets, as in [::1]:8448");
            }
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        }
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
        return wrong("it must be host:port, [IPv6]:port or unix:/path");
    }
    let port = match port.map(str::parse) {
        None => PORT,
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return wrong("the port must be from 1 to 65535"),
    };
    Ok(Address::Tcp {
        host: host.to_owned(),
        port,
        tls,
    })
}
