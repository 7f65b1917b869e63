//! TLS towards the server. Files are read at each connect, so a new certificate is used from the
//! next connection on.

use crate::connector::tls::{authorities, certificates, key, told};
use crate::nats::settings::{Settings, Tls};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, crypto};

/// Makes the connection a secure one with `host`.
///
/// # Errors
/// What is wrong with the server's certificate, or with ours.
pub(super) async fn secure(
    stream: TcpStream,
    host: &str,
    tls: &Tls,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, String> {
    let name = tls.hostname.as_deref().unwrap_or(host).to_owned();
    let server = ServerName::try_from(name.clone())
        .map_err(|_| format!("\"{name}\" is no name a certificate can have"))?;
    let connected = TlsConnector::from(config).connect(server, stream).await;
    connected.map_err(|error| told(&error, tls.cert_file.is_some()))
}

/// Reads the files.
///
/// # Errors
/// What is wrong with one, or that no server wants them.
pub(super) fn config(settings: &Settings) -> Result<Arc<ClientConfig>, String> {
    let tls = &settings.tls;
    if !tls.always && !settings.servers.iter().any(|server| server.tls) {
        return Err("no server is spoken to with TLS".to_owned());
    }
    let roots = authorities(tls.ca_file.as_deref())?;
    if roots.is_empty() {
        return Err("there is no certificate to trust: set tls_ca_file".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match (&tls.cert_file, &tls.key_file) {
        (Some(chain), Some(file)) => builder
            .with_client_auth_cert(certificates(chain)?, key(file)?)
            .map_err(|error| format!("{chain}: {error}"))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}
