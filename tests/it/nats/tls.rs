//! TLS: whom the module trusts, and what is refused.

use async_nats::ConnectOptions;

use crate::certificates::Certificates;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{turn, wait};

const PUBLISH: &str = r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#;

/// The certificates of a server and of who watches it.
struct Made(Certificates);

impl Made {
    fn new() -> Self {
        Self(Certificates::new())
    }

    fn path(&self, file: &str) -> String {
        self.0.path(file)
    }

    /// A server with these certificates; `verify` has it ask for the client's.
    fn server(&self, verify: bool) -> Nats {
        Nats::with(&format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {verify} }}",
            self.path("server.pem"),
            self.path("server.key"),
            self.path("ca.pem"),
        ))
    }

    fn observer(&self, nats: &Nats) -> Subscriber {
        let options = ConnectOptions::new()
            .add_root_certificates(self.path("ca.pem").into())
            .add_client_certificate(
                self.path("client.pem").into(),
                self.path("client.key").into(),
            );
        Subscriber::with_options(options, &url("tls", nats), "calls")
    }
}

/// By name, as it stands in the certificate.
fn url(scheme: &str, nats: &Nats) -> String {
    format!("{scheme}://localhost:{}", nats.port())
}

fn arrives(config: Config, subscriber: &Subscriber) {
    let kamailio = config.request(PUBLISH).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(text(&subscriber.only()), "alice");
    kamailio.stop();
}

/// The connection is refused by our side or by the server, and the status says why.
fn is_refused(config: Config) {
    let kamailio: Kamailio = config
        .number("drain_timeout_ms", 200)
        .request(PUBLISH)
        .start();
    wait::until("the refusal is told", || {
        kamailio.connector()["last_error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    });
    assert_ne!(kamailio.connector()["state"], "connected");
    assert_eq!(kamailio.counter("delivered"), 0);
    kamailio.stop();
}

#[test]
fn the_scheme_asks_for_tls() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = made.server(false);
    let config = Config::at(&url("tls", &nats)).nats("tls_ca_file", &made.path("ca.pem"));
    arrives(config, &made.observer(&nats));
}

#[test]
fn the_parameter_asks_for_tls() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = made.server(false);
    let config = Config::at(&url("nats", &nats)).number("tls", 1);
    arrives(
        config.nats("tls_ca_file", &made.path("ca.pem")),
        &made.observer(&nats),
    );
}

#[test]
fn a_client_certificate_is_shown() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = made.server(true);
    let config = Config::at(&url("nats", &nats))
        .number("tls", 1)
        .nats("tls_ca_file", &made.path("ca.pem"))
        .nats("tls_cert_file", &made.path("client.pem"))
        .nats("tls_key_file", &made.path("client.key"));
    arrives(config, &made.observer(&nats));
}

#[test]
fn the_server_may_be_known_by_another_name() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = made.server(false);
    // The certificate is for localhost, the URL has the address.
    let config = Config::at(&format!("nats://127.0.0.1:{}", nats.port()))
        .number("tls", 1)
        .nats("tls_ca_file", &made.path("ca.pem"))
        .nats("tls_expected_hostname", "localhost");
    arrives(config, &made.observer(&nats));
}

#[test]
fn another_host_name_is_refused() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = made.server(false);
    let config = Config::at(&url("nats", &nats))
        .number("tls", 1)
        .nats("tls_ca_file", &made.path("ca.pem"))
        .nats("tls_expected_hostname", "elsewhere.example");
    is_refused(config);
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Made::new();
    let nats = Nats::start();
    let config = Config::at(&url("nats", &nats)).number("tls", 1);
    is_refused(config.nats("tls_ca_file", &made.path("ca.pem")));
}
