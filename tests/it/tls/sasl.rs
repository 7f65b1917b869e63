//! Kafka's brokers that demand a login: it is tried, by SCRAM with TLS and without, and operators read that it was
//! refused, but no password.

use super::properties;
use super::proxy::Proxy;
use crate::certificates::Certificates;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{port, turn, wait};

const PASSWORD: &str = "s3cret-Pass";

fn login(made: &Certificates, protocol: &str, mechanism: &str) -> [(&'static str, String); 6] {
    [
        ("broker.address.family", "v4".to_owned()),
        ("ssl.ca.location", made.path("ca.pem")),
        ("security.protocol", protocol.to_owned()),
        ("sasl.mechanism", mechanism.to_owned()),
        ("sasl.username", "proxy".to_owned()),
        ("sasl.password", PASSWORD.to_owned()),
    ]
}

#[test]
fn a_login_that_is_refused_is_told() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let (made, upstream) = (Certificates::new(), port::free());
    let proxy = Proxy::before(upstream, &made, "server", false);
    let kafka = Kafka::guarded(upstream, proxy.port());
    let bootstrap = kafka.bootstrap();
    let target = |id: &str, protocol: &str, mechanism: &str| {
        let login = login(&made, protocol, mechanism);
        let login = properties(&login, "g.", "&");
        format!("[{id}]{bootstrap}/topic?g.linger.ms=1&{login}")
    };
    let login = login(&made, "sasl_ssl", "SCRAM-SHA-256");
    let login = properties(&login, "g.", ";");
    let consume = format!("brokers={bootstrap};group=members;topics=topic;{login}");
    let kamailio = Config::of("event_kafka")
        .text_param(
            "broker_id",
            &target("k1", "sasl_plaintext", "SCRAM-SHA-256"),
        )
        .text_param("broker_id", &target("k2", "sasl_ssl", "SCRAM-SHA-512"))
        .text_param("consume", &consume)
        .number("drain_timeout_ms", 300)
        .request(r#"kafka_publish("k1", "x"); $var(answer) = "rc=" + $rc;"#)
        .routes("event_route[kafka:topic] { return; }")
        .start();
    // It waits for better times.
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    for place in [
        "sasl_plaintext://localhost",
        "sasl_ssl://localhost",
        "consumer group members",
    ] {
        wait::until(&format!("the refusal is told: {place}"), || {
            let log = kamailio.log();
            let mut lines = log.lines().filter(|line| line.contains(place));
            lines.any(|line| line.to_lowercase().contains("authentication"))
        });
    }
    // So do operators who ask, whatever the library said last.
    for place in 0..2 {
        wait::until(&format!("the stats tell it: {place}"), || {
            let error = &kamailio.rpc("kafka.stats", &[])["brokers"][place]["last_error"];
            error.to_string().contains("SASL authentication error")
        });
    }
    assert_ne!(kamailio.connector()["state"], "connected");
    assert_eq!(kamailio.counter("delivered"), 0);
    let shown = kamailio.rpc("kafka.stats", &[]).to_string() + &kamailio.connector().to_string();
    let log = kamailio.stop();
    assert!(!(shown + &log).contains(PASSWORD), "{log}");
}
