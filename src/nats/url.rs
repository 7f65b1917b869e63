//! Server addresses.

use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

/// The port a NATS server listens on by default.
const PORT: u16 = 4222;

/// Where a server is, and how to log in there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS demanded by the scheme.
    pub tls: bool,
    /// The name that its certificate must be for, if that is not its host's.
    pub tls_name: Option<String>,
    /// User name.
    pub user: Option<String>,
    /// Password of the user.
    pub password: Option<String>,
    /// Token, where the URL has a user part without password.
    pub token: Option<String>,
}

impl Server {
    /// The name that its certificate must be for.
    #[must_use]
    pub fn tls_name(&self) -> &str {
        self.tls_name.as_deref().unwrap_or(&self.host)
    }
}

/// Shows where, never how to log in.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `text` with what stands between the scheme and the last `@` left out.
#[must_use]
pub fn redacted(text: &str) -> String {
    let first = text.find('@').unwrap_or(text.len());
    let scheme = text.find("://").map_or(0, |at| at + 3);
    // Behind an @ it is no scheme's end, and what stands in front may be a password.
    let start = if scheme <= first { scheme } else { 0 };
    match text.rfind('@') {
        Some(at) if at >= start => format!(
            "{}***{}",
            text.get(..start).unwrap_or_default(),
            text.get(at..).unwrap_or_default()
        ),
        _ => text.to_owned(),
    }
}

/// Reads `nats://[user:password@|token@]host[:port]`, `tls://` likewise.
///
/// # Errors
/// What is wrong with it, without any secret.
pub fn parse(text: &str) -> Result<Server, String> {
    let shown = redacted(text);
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let tls = match scheme.as_deref() {
        Some("nats") => false,
        Some("tls") => true,
        _ => return Err(format!("\"{shown}\": it must begin with nats:// or tls://")),
    };
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => {
            format!("\"{shown}\": the port must be a number from 1 to 65535")
        }
        _ => format!("\"{shown}\": {error}"),
    })?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host.is_empty() {
        return Err(format!("\"{shown}\": there is no host"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("\"{shown}\": nothing may follow the port"));
    }
    if url.port() == Some(0) {
        return Err(format!(
            "\"{shown}\": the port must be a number from 1 to 65535"
        ));
    }
    let plain = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into()
    };
    let name = Some(url.username())
        .filter(|name| !name.is_empty())
        .map(plain);
    let password = url.password().map(plain);
    let (user, token) = if password.is_some() {
        (name, None)
    } else {
        (None, name)
    };
    let port = url.port().unwrap_or(PORT);
    Ok(Server {
        host: host.to_owned(),
        port,
        tls,
        tls_name: None,
        user,
        password,
        token,
    })
}
