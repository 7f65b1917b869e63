//! The lines of `amqp_connection`: `[zone=NAME;]amqp://[user[:password]@]host[:port][/vhost]`.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;
const GUEST: &str = "guest";
const ROOT: &str = "/";

/// The longest user name, password, host or virtual host, in bytes.
const PART_BYTES_MAX: usize = 255;

/// A server, and how to log in there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// The zone it belongs to.
    pub zone: String,
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name.
    pub user: String,
    /// Password of the user.
    pub password: String,
    /// Virtual host.
    pub vhost: String,
    /// It speaks TLS.
    pub tls: bool,
}

/// Shows where, never how to log in.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        let vhost = self.vhost.strip_prefix(ROOT).unwrap_or(&self.vhost);
        let slash = if vhost.is_empty() { "" } else { "/" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}{slash}{vhost}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}{slash}{vhost}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.zone)
    }
}

/// `text` with what stands between the scheme and the last `@` left out.
#[must_use]
pub fn redacted(text: &str) -> String {
    let first = text.find('@').unwrap_or(text.len());
    let scheme = text.find("://").map_or(0, |at| at + 3);
    // Behind an @ it is no scheme's end, and what stands in front may be a password.
    let start = if scheme <= first { scheme } else { 0 };
    match (text.get(..start), text.rfind('@')) {
        (Some(scheme), Some(at)) if at >= start => {
            format!("{scheme}***{}", text.get(at..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// Reads a line. Without a zone in front, the server is one of `primary`.
///
/// No path and the path `/` both mean the virtual host `/`, as the original's library has it; any
/// other path is the virtual host's name without the slash in front, `%2f` in it is a slash.
///
/// # Errors
/// What is wrong with it, without any secret.
pub fn parse(text: &str, primary: &str) -> Result<Server, String> {
    let shown = redacted(text);
    let wrong = |why: &str| Err(format!("\"{shown}\": {why}"));
    let (zone, address) = match text.strip_prefix("zone=") {
        None => (primary, text),
        Some(rest) => match rest.split_once(';') {
            None => return wrong("behind the zone's name a ; is missing"),
            Some(("", _)) => return wrong("the zone has no name"),
            Some((zone, address)) => (zone, address.trim_start()),
        },
    };
    let scheme = address
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let tls = match scheme.as_deref() {
        Some("amqp" | "kazoo") => false,
        Some("amqps") => true,
        _ => return wrong("it must begin with amqp://, amqps:// or kazoo://"),
    };
    let url = match Url::parse(address) {
        Ok(url) => url,
        Err(url::ParseError::InvalidPort) => return wrong("the port must be from 1 to 65535"),
        Err(error) => return wrong(&error.to_string()),
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("nothing may follow the virtual host");
    }
    let path = url.path().strip_prefix('/').unwrap_or_default();
    if path.contains('/') {
        return wrong("a slash in the virtual host must be written %2f");
    }
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let or = |text: String, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text
        }
    };
    let server = Server {
        zone: zone.to_owned(),
        host: or(plain(host), "localhost"),
        port: url.port().unwrap_or(if tls { TLS_PORT } else { PORT }),
        user: or(plain(url.username()), GUEST),
        password: url.password().map_or_else(|| GUEST.to_owned(), plain),
        vhost: or(plain(path), ROOT),
        tls,
    };
    let parts = [&server.host, &server.user, &server.password, &server.vhost];
    if server.port == 0 {
        return wrong("the port must be from 1 to 65535");
    }
    if parts.iter().any(|part| part.len() > PART_BYTES_MAX) {
        return wrong("a part of it is longer than 255 bytes");
    }
    Ok(server)
}
