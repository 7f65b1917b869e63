//! `amqps://`: whom the module trusts, what it shows of itself, and what is refused.

use super::broker::{alone, start};
use super::bus::Bus;
use crate::certificates::Certificates;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{port, turn, wait};

/// A server with a second port for TLS; `verify` has it ask for a client's certificate.
fn server(made: &Certificates, verify: bool) -> (Rabbit, u16) {
    let port = port::free();
    let how = if verify { "verify_peer" } else { "verify_none" };
    let rabbit = Rabbit::with(&format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\nssl_options.keyfile = {}\n\
         ssl_options.verify = {how}\nssl_options.fail_if_no_peer_cert = {verify}",
        made.path("ca.pem"),
        made.path("server.pem"),
        made.path("server.key"),
    ));
    (rabbit, port)
}

/// By this name; the certificate is for localhost.
fn to(host: &str, port: u16) -> Config {
    alone()
        .text_param(
            "amqp_connection",
            &format!("amqps://guest:guest@{host}:{port}"),
        )
        .number("amqp_connect_timeout_sec", 5)
        .number("drain_timeout_ms", 300)
        .request(r#"kazoo_publish("t.calls", "$rU", "{}"); $var(answer) = "rc=" + $rc;"#)
}

fn arrives(config: Config, rabbit: &Rabbit) {
    let seen = Bus::to(rabbit.port()).listen("t.calls", "topic", "#");
    let kamailio = start(config);
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(seen.only().key, "alice");
    kamailio.stop();
}

/// The connection is refused by our side or by the server, and the status says why.
fn is_refused(config: Config) {
    let kamailio = config.start();
    wait::until("the refusal is told", || {
        kamailio.connector()["last_error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    });
    assert_ne!(kamailio.connector()["state"], "connected");
    assert_eq!(kamailio.counter("confirmed"), 0);
    kamailio.stop();
}

#[test]
fn who_is_trusted_and_who_is_not() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let made = Certificates::new();
    let (rabbit, port) = server(&made, false);
    let ca = made.path("ca.pem");
    arrives(
        to("localhost", port).text_param("amqps_ca_cert", &ca),
        &rabbit,
    );
    // By an address, which is not in the certificate.
    is_refused(to("127.0.0.1", port).text_param("amqps_ca_cert", &ca));
    let by_address = to("127.0.0.1", port).text_param("amqps_ca_cert", &ca);
    arrives(by_address.number("amqps_verify_hostname", 0), &rabbit);
    // Of an authority that is not trusted.
    let other = made.path("other.pem");
    is_refused(to("localhost", port).text_param("amqps_ca_cert", &other));
    let without_name = to("localhost", port).text_param("amqps_ca_cert", &other);
    is_refused(without_name.number("amqps_verify_hostname", 0));
    is_refused(to("localhost", port));
    arrives(
        to("127.0.0.1", port).number("amqps_verify_peer", 0),
        &rabbit,
    );
}

#[test]
fn a_client_certificate_is_shown() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let made = Certificates::new();
    let (rabbit, port) = server(&made, true);
    let config = || to("localhost", port).text_param("amqps_ca_cert", &made.path("ca.pem"));
    arrives(
        config()
            .text_param("amqps_cert", &made.path("client.pem"))
            .text_param("amqps_key", &made.path("client.key")),
        &rabbit,
    );
    is_refused(config());
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    is_refused(to("localhost", Rabbit::shared().port()));
}
