//! TLS towards clients.

use crate::evapi::settings::Tls;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;

/// What accepts TLS connections, if there is a certificate for it.
///
/// # Errors
/// What is wrong with a file.
pub(super) fn acceptor(tls: Option<&Tls>) -> Result<Option<TlsAcceptor>, String> {
    let Some(tls) = tls else {
        return Ok(None);
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &tls.ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{file}: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| format!("{file}: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, file) = (&tls.cert_file, &tls.key_file);
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| format!("{file}: {error}"))?;
    let config = builder
        .with_single_cert(certificates(chain)?, key)
        .map_err(|error| format!("{chain}: {error}"))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Makes the connection a secure one.
///
/// # Errors
/// What is wrong with the client.
pub(super) async fn secure(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let accepted = acceptor.accept(stream).await;
    accepted.map_err(|error| format!("TLS: {error}"))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{file}: {error}"))?;
    if found.is_empty() {
        return Err(format!("{file}: there is no certificate in it"));
    }
    Ok(found)
}
