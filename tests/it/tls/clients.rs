//! Clients of the event socket: who is refused, and that the log says why.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use crate::certificates::Certificates;
use crate::evapi::client::Client;
use crate::evapi::listener::clients as evapi_clients;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::{port, turn, wait};

/// Answers what clients say.
const ECHO: &str = r#"event_route[evapi:message-received] {
    $var(count) = $shtinc(count=>messages);
    evapi_relay("$evapi(msg)");
}"#;

fn file(made: &Certificates, name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(made.path(&format!("{name}.pem"))).unwrap()
}

/// Trusts one authority, and shows a certificate.
fn client(made: &Certificates, trusts: &str, shows: Option<&str>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(file(made, trusts)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(name) = shows else {
        return builder.with_no_client_auth();
    };
    let key = PrivateKeyDer::from_pem_file(made.path(&format!("{name}.key"))).unwrap();
    let chain = vec![file(made, name)];
    builder.with_client_auth_cert(chain, key).unwrap()
}

/// Listens with `shown.pem`, and answers.
pub(crate) fn on(made: &Certificates, port: u16) -> Config {
    made.renew("shown", "server");
    Config::of("evapi")
        .text_param("bind_addr", &format!("tls:127.0.0.1:{port}"))
        .text_param("tls_cert_file", &made.path("shown.pem"))
        .text_param("tls_key_file", &made.path("shown.key"))
        .number("max_clients", 64)
        .routes(ECHO)
}

/// The same for clients of the authority.
fn demanding(made: &Certificates, port: u16) -> Config {
    on(made, port).text_param("tls_ca_file", &made.path("ca.pem"))
}

fn echoes(client: &mut Client, what: &str) {
    client.send(what);
    assert_eq!(client.text(), what);
}

#[test]
fn a_client_that_is_refused_is_told_of_in_the_log() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (made, port) = (Certificates::new(), port::free());
    let kamailio = demanding(&made, port).start();
    let cases = [
        ("ca", None, "it shows no certificate, and it must"),
        (
            "ca",
            Some("stranger"),
            "its certificate is not from an authority that is trusted here",
        ),
        ("ca", Some("late"), "its certificate has expired"),
        (
            "namesake",
            Some("client"),
            "it does not trust the authority of the certificate that it was shown",
        ),
        (
            "other",
            Some("client"),
            "it does not trust the authority of the certificate that it was shown",
        ),
    ];
    for (count, (trusts, shows, says)) in cases.into_iter().enumerate() {
        let mut refused = Client::tls(port, client(&made, trusts, shows));
        refused.try_send_raw(b"5:hello,");
        assert!(refused.until_cut().is_empty());
        kamailio.wait_counter("logins_refused", count as u64 + 1);
        wait::until(&format!("the log says {says}"), || {
            kamailio.log().contains(says)
        });
    }
    assert_eq!(kamailio.counted("messages"), 0);
    echoes(
        &mut Client::tls(port, client(&made, "ca", Some("client"))),
        "hello",
    );
    kamailio.stop();
}

fn refusal(kamailio: &Kamailio) -> String {
    kamailio.try_rpc("evapi.tls_reload", &[]).unwrap_err()
}

#[test]
fn new_certificates_are_for_newcomers() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (made, port) = (Certificates::new(), port::free());
    let kamailio = demanding(&made, port).start();
    let newcomer = |name| Client::tls(port, client(&made, "ca", Some(name)));
    let mut first = newcomer("client");
    echoes(&mut first, "one");
    // What cannot be read is named, and changes nothing.
    made.spoil("shown.pem");
    let why = refusal(&kamailio);
    assert!(
        why.contains("shown.pem") && why.contains("stay as they are"),
        "{why}"
    );
    wait::until("it is told", || {
        kamailio.log().contains("the certificates stay as they are")
    });
    // A key that belongs to another certificate is no better.
    made.copy("shown.pem", "expired.pem");
    assert!(refusal(&kamailio).contains("shown.pem"));
    assert_eq!(kamailio.counter("tls_renewals"), 0);
    let mut second = newcomer("client");
    second.send("two");
    for client in [&mut first, &mut second] {
        assert_eq!(client.text(), "two");
    }
    // One that newcomers do not take: so it is this one that they are shown.
    made.renew("shown", "expired");
    assert_eq!(kamailio.rpc("evapi.tls_reload", &[]), "OK");
    let mut refused = newcomer("client");
    refused.try_send_raw(b"5:hello,");
    assert!(refused.until_cut().is_empty());
    made.renew("shown", "server");
    assert_eq!(kamailio.rpc("evapi.tls_reload", &[]), "OK");
    kamailio.wait_counter("tls_renewals", 2);
    let mut third = newcomer("client");
    echoes(&mut third, "three");
    // Nobody who was there has lost anything.
    for client in [&mut first, &mut second] {
        assert_eq!(client.text(), "three");
    }
    kamailio.stop();
}

#[test]
fn unsound_files_stop_the_start_and_later_those_over_tls_only() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (made, port, plain) = (Certificates::new(), port::free(), port::free());
    let config = || on(&made, port).text_param("bind_addr", &format!("127.0.0.1:{plain}"));
    let config_of_another_key = config();
    made.copy("shown.pem", "expired.pem");
    let (status, log) = config_of_another_key.refused();
    assert!(!status.success());
    let told = |line: &&str| line.contains("modparam evapi: ") && line.contains("shown.pem");
    assert_eq!(log.lines().filter(told).count(), 1, "{log}");
    let kamailio = config().start();
    made.spoil("shown.pem");
    kamailio.kill_engine();
    wait::until("the next one tells", || {
        let error = kamailio.connector()["last_error"].to_string();
        error.contains("shown.pem")
    });
    echoes(&mut Client::connect(&kamailio, plain), "plain");
    assert!(refusal(&kamailio).contains("shown.pem"));
    made.renew("shown", "server");
    assert_eq!(kamailio.rpc("evapi.tls_reload", &[]), "OK");
    echoes(&mut Client::tls(port, client(&made, "ca", None)), "secure");
    kamailio.stop();
}

#[test]
fn a_client_is_served_over_tls() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, plain, made) = (port::free(), port::free(), Certificates::new());
    let also = format!("127.0.0.1:{plain}");
    let kamailio = on(&made, port).text_param("bind_addr", &also).start();
    let mut secure = Client::tls(port, client(&made, "ca", None));
    echoes(&mut secure, "hello");
    // One bus with those who come without.
    let mut other = Client::connect(&kamailio, plain);
    echoes(&mut other, "too");
    assert_eq!(secure.text(), "too");
    drop(secure);
    kamailio.wait_counter("disconnections", 1);
    kamailio.stop();
}

#[test]
fn a_client_without_tls_is_refused_where_tls_is_spoken() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, made) = (port::free(), Certificates::new());
    let kamailio = on(&made, port).start();
    let mut plain = Client::dial(([127, 0, 0, 1], port).into());
    plain.try_send_raw(b"5:hello,");
    // A server that speaks TLS says why, which is no frame.
    assert!(plain.until_cut().is_empty());
    kamailio.wait_counter("logins_refused", 1);
    assert_eq!(kamailio.counted("messages"), 0);
    echoes(&mut Client::tls(port, client(&made, "ca", None)), "hello");
    kamailio.stop();
}

/// A connection whose end is told from one that was cut off.
fn bare(made: &Certificates, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(wait::watchdog())).unwrap();
    let (config, name) = (client(made, "ca", None), "localhost".try_into().unwrap());
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, stream)
}

#[test]
fn an_end_is_told_and_comes_behind_all_that_was_written() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    const FRAMES: u64 = 4000;
    let (made, port) = (Certificates::new(), port::free());
    let kamailio = on(&made, port)
        .request(&format!(
            r#"$var(i) = 0;
               while ($var(i) < {FRAMES}) {{ if (evapi_relay("$rb")) {{ $var(i) = $var(i) + 1; }} }}"#
        ))
        .start();
    let mut stream = bare(&made, port);
    stream.flush().unwrap();
    wait::until("the client is admitted", || {
        evapi_clients(&kamailio)
            .iter()
            .any(|client| client["state"] == "up")
    });
    kamailio.sip().message("x", &[b'x'; 1024]);
    // More than a socket holds.
    kamailio.wait_counter("delivered", FRAMES);
    kamailio.rpc("evapi.close", &[serde_json::json!(0)]);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all.len() as u64, FRAMES * (1024 + "1024:,".len() as u64));
    kamailio.stop();
}

#[test]
fn who_ends_its_side_of_tls_gets_its_answer() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (made, port) = (Certificates::new(), port::free());
    let kamailio = on(&made, port).start();
    let mut stream = bare(&made, port);
    stream.write_all(b"5:hello,").unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"5:hello,");
    kamailio.stop();
}
