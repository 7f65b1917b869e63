//! TLS towards a server. Files are read at each connect, so a new certificate is used from the next
//! connection on.

use crate::connector::tls::{authorities, certificates, key, told};
use crate::kazoo::settings::{Settings, Tls};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, crypto,
};

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
    let server = ServerName::try_from(host.to_owned())
        .map_err(|_| format!("\"{host}\" is no name a certificate can have"))?;
    let connected = TlsConnector::from(config).connect(server, stream).await;
    connected.map_err(|error| told(&error, tls.cert_file.is_some()))
}

/// Reads the files.
///
/// # Errors
/// What is wrong with one, or that no server wants them.
pub(super) fn config(settings: &Settings) -> Result<Arc<ClientConfig>, String> {
    let tls = &settings.tls;
    if !settings.servers.iter().any(|server| server.tls) {
        return Err("no server is spoken to with TLS".to_owned());
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let checks = Checks {
        trusted: if tls.verify_peer {
            Some(verifier(tls, &provider)?)
        } else {
            None
        },
        hostname: tls.verify_hostname,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(checks));
    let config = match (&tls.cert_file, &tls.key_file) {
        (Some(chain), Some(file)) => builder
            .with_client_auth_cert(certificates(chain)?, key(file)?)
            .map_err(|error| format!("{chain}: {error}"))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let roots = authorities(tls.ca_file.as_deref())?;
    if roots.is_empty() {
        return Err("there is no certificate to trust: set amqps_ca_cert".to_owned());
    }
    let builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| error.to_string())
}

/// What `amqps_verify_peer` and `amqps_verify_hostname` ask for.
#[derive(Debug)]
struct Checks {
    /// None: any certificate will do.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    hostname: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Checks {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is looked at last: another error would have come before this one.
        match trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.hostname => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
