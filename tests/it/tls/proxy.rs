//! Speaks TLS before a server that does not. What it shows, and whether it demands a client's
//! certificate, may change at any time; who comes without TLS gets through.

use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::certificates::Certificates;
use crate::port;
use crate::subscriber::runtime;

/// First byte of a TLS connection.
const HANDSHAKE: u8 = 0x16;

/// See the module.
pub(super) struct Proxy {
    port: u16,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    /// The certificates that clients have shown, in the order they came.
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(super) fn before(upstream: u16, made: &Certificates, name: &str, demands: bool) -> Self {
        let port = port::free();
        let acceptor = Arc::new(Mutex::new(acceptor(made, name, demands)));
        let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (current, note) = (Arc::clone(&acceptor), Arc::clone(&seen));
        let listener = runtime()
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .unwrap();
        let accepting = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = current.lock().unwrap().clone();
                tokio::spawn(carry(stream, acceptor, upstream, Arc::clone(&note)));
            }
        });
        Self {
            port,
            acceptor,
            seen,
            accepting,
        }
    }

    /// From the next connection on.
    pub(super) fn show(&self, made: &Certificates, name: &str, demands: bool) {
        *self.acceptor.lock().unwrap() = acceptor(made, name, demands);
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have shown this certificate.
    pub(super) fn saw(&self, made: &Certificates, name: &str) -> usize {
        let wanted = chain(made, name).remove(0);
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|one| ***one == *wanted).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn chain(made: &Certificates, name: &str) -> Vec<CertificateDer<'static>> {
    let file = made.path(&format!("{name}.pem"));
    let all = CertificateDer::pem_file_iter(file).unwrap();
    all.map(Result::unwrap).collect()
}

fn acceptor(made: &Certificates, name: &str, demands: bool) -> TlsAcceptor {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if demands {
        let mut roots = RootCertStore::empty();
        roots.add(chain(made, "ca").remove(0)).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(made.path(&format!("{name}.key"))).unwrap();
    let config = builder.with_single_cert(chain(made, name), key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn carry(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    upstream: u16,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let mut first = [0];
    if stream.peek(&mut first).await.is_err() {
        return;
    }
    if first[0] != HANDSHAKE {
        let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
        tokio::io::copy_bidirectional(&mut stream, &mut server)
            .await
            .ok();
        return;
    }
    // Who is refused was told why.
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let shown = stream.get_ref().1.peer_certificates();
    if let Some(shown) = shown.and_then(<[_]>::first) {
        seen.lock().unwrap().push(shown.to_vec());
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
    tokio::io::copy_bidirectional(&mut stream, &mut server)
        .await
        .ok();
}
