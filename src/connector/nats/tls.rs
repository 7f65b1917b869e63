//! TLS towards the server. Files are read at each connect, so a new certificate is used from the
//! next connection on.

use crate::nats::settings::Tls;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Makes the connection a secure one with `host`.
///
/// # Errors
/// What is wrong with a file or with the server's certificate.
pub(super) async fn secure(
    stream: TcpStream,
    host: &str,
    tls: &Tls,
) -> Result<TlsStream<TcpStream>, String> {
    let name = tls.hostname.as_deref().unwrap_or(host).to_owned();
    let server = ServerName::try_from(name.clone())
        .map_err(|_| format!("\"{name}\" is no name a certificate can have"))?;
    let connector = TlsConnector::from(Arc::new(config(tls)?));
    connector
        .connect(server, stream)
        .await
        .map_err(|error| format!("TLS: {error}"))
}

fn config(tls: &Tls) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &tls.ca_file {
        Some(file) => {
            let certificates = certificates(file)?;
            for certificate in certificates {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{file}: {error}"))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            _ = roots.add_parsable_certificates(system.certs);
        }
    }
    if roots.is_empty() {
        return Err("there is no certificate to trust: set tls_ca_file".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    match (&tls.cert_file, &tls.key_file) {
        (Some(chain), Some(key)) => {
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("{key}: {e}"))?;
            builder
                .with_client_auth_cert(certificates(chain)?, key_der)
                .map_err(|error| format!("{chain}: {error}"))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{file}: {error}"))?;
    if found.is_empty() {
        return Err(format!(
            "{file}: {}",
            io::Error::other("there is no certificate in it")
        ));
    }
    Ok(found)
}
