//! Who gets in: TLS, client certificates, the shared secret, and how long a newcomer may take.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::client::Client;
use super::listener::{on, wait_counter};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::{port, turn, wait};

/// Counts the events, and answers messages.
const ECHO: &str = r#"
event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); }
event_route[evapi:message-received] { $var(count) = $shtinc(count=>messages); evapi_relay("$evapi(msg)"); }
event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
"#;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// An authority, another one, and a server called localhost.
struct Authorities {
    folder: TempDir,
    trusted: Issuer,
    other: Issuer,
}

impl Authorities {
    fn new() -> Self {
        let made = Self {
            folder: tempfile::Builder::new()
                .prefix("sipbus-tls-")
                .tempdir()
                .unwrap(),
            trusted: authority(),
            other: authority(),
        };
        let (certificate, key) = issue(&made.trusted, "localhost");
        made.write("server.pem", &certificate.pem());
        made.write("server.key", &key.serialize_pem());
        made.write("ca.pem", &made.trusted.pem());
        made
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(file)
    }

    /// A configuration that listens with TLS on this port.
    fn on(&self, port: u16) -> Config {
        let path = |file: &str| self.path(file).display().to_string();
        Config::of("evapi")
            .text_param("bind_addr", &format!("tls:127.0.0.1:{port}"))
            .text_param("tls_cert_file", &path("server.pem"))
            .text_param("tls_key_file", &path("server.key"))
            .routes(ECHO)
    }

    fn demanding(&self, port: u16) -> Config {
        let path = self.path("ca.pem").display().to_string();
        self.on(port).text_param("tls_ca_file", &path)
    }

    /// A client that trusts the authority, and shows a certificate of an issuer.
    fn client(&self, shown: Option<&Issuer>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let Some(issuer) = shown else {
            return builder.with_no_client_auth();
        };
        let (certificate, key) = issue(issuer, "router");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        builder.with_client_auth_cert(chain, key.into()).unwrap()
    }
}

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(issuer: &Issuer, subject: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![subject.to_string()]).unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

fn echoes(client: &mut Client) {
    client.send("hello");
    assert_eq!(client.text(), "hello");
}

/// The connection ends, and the script never heard of it.
fn is_refused(kamailio: &Kamailio, mut client: Client, count: u64) {
    client.try_send_raw(b"5:hello,");
    // A server that speaks TLS says why, which is no frame.
    assert!(client.until_cut().is_empty());
    wait_counter(kamailio, "logins_refused", count);
    let events = ["new", "messages", "closed"].map(|event| kamailio.counted(event));
    assert_eq!(events, [0; 3]);
}

#[test]
fn a_client_is_served_over_tls() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, plain, made) = (port::free(), port::free(), Authorities::new());
    let also = format!("127.0.0.1:{plain}");
    let kamailio = made.on(port).text_param("bind_addr", &also).start();
    let mut client = Client::tls(port, made.client(None));
    echoes(&mut client);
    // One bus with those who come without.
    let mut other = Client::connect(&kamailio, plain);
    echoes(&mut other);
    assert_eq!(client.text(), "hello");
    drop(client);
    super::listener::wait_counted(&kamailio, "closed", 1);
    kamailio.stop();
}

#[test]
fn a_client_shows_its_certificate_where_that_is_demanded() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, made) = (port::free(), Authorities::new());
    let kamailio = made.demanding(port).start();
    is_refused(&kamailio, Client::tls(port, made.client(None)), 1);
    is_refused(
        &kamailio,
        Client::tls(port, made.client(Some(&made.other))),
        2,
    );
    echoes(&mut Client::tls(port, made.client(Some(&made.trusted))));
    kamailio.stop();
}

#[test]
fn a_client_without_tls_is_refused_where_tls_is_spoken() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, made) = (port::free(), Authorities::new());
    let kamailio = made.on(port).start();
    is_refused(&kamailio, Client::dial(([127, 0, 0, 1], port).into()), 1);
    echoes(&mut Client::tls(port, made.client(None)));
    kamailio.stop();
}

const SECRET: &str = "correct horse";

#[test]
fn the_shared_secret_lets_a_client_in() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .before(super::suspend::TM)
        .text_param("shared_secret", SECRET)
        .routes(ECHO)
        .request(
            r#"evapi_relay("too early");
               if (evapi_async_relay("x")) { exit; }
               send_reply("200", "false $rc"); exit;"#,
        )
        .start();
    let mut client = Client::dial(([127, 0, 0, 1], port).into());
    wait::until("the client is seen", || {
        client
            .shown(&kamailio)
            .is_some_and(|shown| shown["state"] == "login")
    });
    // Nothing is told to one who has not said it, and nothing is asked.
    assert_eq!(kamailio.sip().message("x", b""), "false -2");
    wait_counter(&kamailio, "undelivered", 1);
    assert_eq!(kamailio.counted("new"), 0);
    client.send(SECRET);
    client.admitted(&kamailio);
    echoes(&mut client);
    assert_eq!(
        (kamailio.counted("new"), kamailio.counted("messages")),
        (1, 1)
    );
    kamailio.stop();
}

#[test]
fn a_wrong_secret_is_refused_and_not_shown() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .text_param("shared_secret", SECRET)
        .routes(ECHO)
        .start();
    let wrong = [
        "wrong battery",
        "correct hors",
        "correct horse ",
        "Correct horse",
    ];
    let mut ports = Vec::new();
    for (count, secret) in wrong.iter().enumerate() {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        ports.push(client.local_port());
        client.send(secret);
        is_refused(&kamailio, client, count as u64 + 1);
    }
    let log = kamailio.stop();
    for port in ports {
        let told = log
            .lines()
            .filter(|line| line.contains(&format!(":{port}")))
            .count();
        assert_eq!(told, 1, "{log}");
    }
    assert!(!log.contains(SECRET) && !log.contains("battery"), "{log}");
}

#[test]
fn the_secret_goes_before_raw_bytes_too() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .text_param("shared_secret", SECRET)
        .number("netstring_format", 0)
        .routes(ECHO)
        .start();
    for (begin, rest) in [("correct horse\r\nhello", ""), ("correct ", "horse\nhello")] {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        client.send_raw(begin.as_bytes());
        client.taken();
        client.send_raw(rest.as_bytes());
        assert_eq!(client.raw(5), b"hello");
        drop(client);
        wait::until("it is gone", || {
            super::listener::clients(&kamailio).is_empty()
        });
    }
    kamailio.stop();
}

#[test]
fn who_says_nothing_is_sent_away_in_time() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, secret, made) = (port::free(), port::free(), Authorities::new());
    let kamailio = made
        .on(port)
        .text_param("bind_addr", &format!("127.0.0.1:{secret}"))
        .text_param("shared_secret", SECRET)
        .number("login_timeout_ms", 200)
        .start();
    for (count, port) in [port, secret].into_iter().enumerate() {
        let mut silent = Client::dial(([127, 0, 0, 1], port).into());
        assert!(silent.rest().is_empty());
        wait_counter(&kamailio, "logins_refused", count as u64 + 1);
    }
    assert_eq!(
        (kamailio.counted("new"), kamailio.counted("closed")),
        (0, 0)
    );
    kamailio.stop();
}
