//! What the library does not say about TLS: which file is unsound, and why a broker is refused.

use super::check;
use super::socket::Seats;
use crate::connector::tls::{authorities, certificates, key, told};
use crate::kafka::property::{Property, find};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, crypto};

const CA: &str = "ssl.ca.location";
const CHAIN: &str = "ssl.certificate.location";
const KEY: &str = "ssl.key.location";

/// How long a broker may take to say why, also where both have little of the processor.
const LIMIT: Duration = Duration::from_secs(5);

/// Reads the files that the settings and the sockets of events name, and has the library try them.
///
/// # Errors
/// What is wrong with one, or that there is none.
pub(super) fn read(seats: &Seats) -> Result<(), String> {
    let settings = seats.settings();
    let producers = settings.producers.iter().map(|p| &p.properties);
    let consumers = settings.consumers.iter().map(|c| &c.properties);
    let sockets = settings.sockets.iter().map(|s| &s.properties);
    // Those that were left out are tried again with their next event, whatever the files say.
    let mut any = seats.left_out();
    for properties in producers.chain(consumers).chain(sockets) {
        any |= is_secure(properties);
        sound(properties)?;
    }
    if !any {
        return Err("no broker is spoken to with TLS".to_owned());
    }
    let mistakes = check::clients(&settings);
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(mistakes.join("; "))
    }
}

/// Whether that is a broker that is spoken to with TLS.
pub(super) fn is_secure(properties: &[Property]) -> bool {
    let protocol = find(properties, "security.protocol").unwrap_or_default();
    protocol.to_ascii_lowercase().ends_with("ssl")
}

fn sound(properties: &[Property]) -> Result<(), String> {
    let file = |name| find(properties, name).filter(|file| !Path::new(file).is_dir());
    if let Some(file) = file(CA).filter(|file| *file != "probe") {
        authorities(Some(file))?;
    }
    if let Some(file) = file(CHAIN) {
        certificates(file)?;
    }
    // One with a password only the library can read.
    if find(properties, "ssl.key.password").is_none()
        && let Some(file) = file(KEY)
    {
        key(file)?;
    }
    Ok(())
}

/// Why a broker and this side do not understand each other, if the library's complaint is about one that
/// is spoken to with TLS: it is tried once more, by who says it.
pub(super) async fn reason(complaint: &str, properties: &[Property]) -> Option<String> {
    let (_, rest) = complaint.split_once("ssl://")?;
    let address = rest.split('/').next()?;
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let config = config(properties).ok()?;
    let shown = find(properties, CHAIN).is_some();
    let attempt = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let server = ServerName::try_from(host).ok()?;
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = match connector.connect(server, stream).await {
            Ok(stream) => stream,
            Err(error) => return Some(told(&error, shown)),
        };
        // A client's certificate is looked at when this side is done.
        let error = stream.read(&mut [0]).await.err()?;
        error.get_ref().is_some().then(|| told(&error, shown))
    };
    timeout(LIMIT, attempt).await.ok()?
}

fn config(properties: &[Property]) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities(find(properties, CA))?);
    match (find(properties, CHAIN), find(properties, KEY)) {
        (Some(chain), Some(file)) => builder
            .with_client_auth_cert(certificates(chain)?, key(file)?)
            .map_err(|error| error.to_string()),
        _ => Ok(builder.with_no_client_auth()),
    }
}
