//! TLS towards clients.

use crate::connector::tls::{authorities, certificates, key, told};
use crate::evapi::settings::Tls;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::server::TlsStream;

/// What accepts TLS connections.
///
/// # Errors
/// What is wrong with a file, or that there is none.
pub(super) fn acceptor(tls: Option<&Tls>) -> Result<TlsAcceptor, String> {
    let tls = tls.ok_or("there are no certificates: tls_cert_file is not set")?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &tls.ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(authorities(Some(file))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = verifier
                .build()
                .map_err(|error| format!("{file}: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, file) = (&tls.cert_file, &tls.key_file);
    let config = builder
        .with_single_cert(certificates(chain)?, key(file)?)
        .map_err(|error| format!("{chain}: {error}"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Makes the connection a secure one.
///
/// # Errors
/// What is wrong with the client.
pub(super) async fn secure(
    acceptor: Option<&TlsAcceptor>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let acceptor = acceptor.ok_or("there are no certificates")?;
    let accepted = acceptor.accept(stream).await;
    accepted.map_err(|error| told(&error, true))
}
