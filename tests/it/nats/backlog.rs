//! More messages than the event worker handles for a while: they wait in the connection, which stays.

use async_nats::ConnectOptions;

use crate::certificates::Certificates;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::turn;

/// For four tests of the connection.
const COUNT: u64 = 600;

/// Sixteen such messages fill the inbox.
const BYTES: usize = 4096;

/// A worker that takes 10 ms for each message, and a connection that is tested often.
fn slow(config: Config) -> Config {
    config
        .number("inbox_size", 65_536)
        .number("message_size_max", 16_384)
        .number("ping_interval_ms", 1500)
        .number("connect_timeout_ms", 30_000)
        .nats("subject_queue_group", "slow:group")
        .routes(
            r#"event_route[nats:slow] { usleep("10000"); $var(count) = $shtinc(count=>handled); }"#,
        )
}

fn flood(client: &Subscriber) {
    for _ in 0..COUNT {
        client.publish("slow", vec![b'x'; BYTES]);
    }
}

#[test]
fn it_does_not_cost_the_connection() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = slow(Config::at(&nats.url())).start().connected();
    flood(&client);
    kamailio.wait_counted("handled", COUNT);
    assert_eq!(kamailio.counter("reconnects"), 0);
    kamailio.stop();
}

#[test]
fn new_certificates_wait_for_it() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let made = Certificates::new();
    let nats = Nats::with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\" }}",
        made.path("server.pem"),
        made.path("server.key"),
        made.path("ca.pem"),
    ));
    let url = format!("tls://localhost:{}", nats.port());
    let options = ConnectOptions::new().add_root_certificates(made.path("ca.pem").into());
    let client = Subscriber::with_options(options, &url, "unused");
    let config = Config::at(&url).nats("tls_ca_file", &made.path("ca.pem"));
    let kamailio = slow(config).start().connected();
    flood(&client);
    kamailio.wait_counted("handled", 1);
    assert_eq!(kamailio.rpc("nats.tls_reload", &[]), "OK");
    kamailio.wait_counted("handled", COUNT);
    // The publishing connection and the subscription.
    kamailio.wait_counter("tls_renewals", 2);
    assert_eq!(kamailio.counted("handled"), COUNT);
    assert_eq!(kamailio.counter("reconnects"), 0);
    kamailio.stop();
}
