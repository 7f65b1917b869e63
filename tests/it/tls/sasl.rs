//! Kafka's brokers that demand a login, by SCRAM with TLS and without: who has the password publishes and consumes; that
//! another one was refused, operators read, but no password.

use std::collections::BTreeSet;

use super::guard::Guard;
use super::properties;
use super::proxy::Proxy;
use crate::certificates::Certificates;
use crate::kamailio::{Config, Kamailio};
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

/// tansu behind the guard, and that behind TLS: for who wants it.
struct Guarded {
    made: Certificates,
    // Clients first: a broker that is told to end waits for them.
    _proxy: Proxy,
    guard: Guard,
    kafka: Kafka,
    topic: String,
}

impl Guarded {
    fn start() -> Self {
        let (made, upstream) = (Certificates::new(), port::free());
        let guard = Guard::before(upstream, "proxy", PASSWORD);
        let proxy = Proxy::before(guard.port(), &made, "server", false);
        let kafka = Kafka::behind(upstream, proxy.port());
        let topic = kafka.topic();
        Self {
            made,
            _proxy: proxy,
            guard,
            kafka,
            topic,
        }
    }

    /// Waits until these, and no others, are in the topic.
    fn has(&self, texts: &[&str]) {
        let wanted: BTreeSet<String> = texts.iter().map(ToString::to_string).collect();
        let mut topic = self.kafka.records(&self.topic);
        wait::until("they are there", || {
            let records = topic.records().iter();
            records.map(|one| one.text()).collect::<BTreeSet<_>>() == wanted
        });
    }
}

fn refusal_is_told(kamailio: &Kamailio) {
    wait::until("the refusal is told", || {
        kamailio
            .log()
            .to_lowercase()
            .contains("sasl authentication error: wrong name or password")
    });
}

#[test]
fn who_logs_in_publishes_and_consumes() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let guarded = Guarded::start();
    let (bootstrap, topic) = (guarded.kafka.bootstrap(), &guarded.topic);
    let properties_of = |protocol: &str, mechanism: &str, between: &str| {
        properties(&login(&guarded.made, protocol, mechanism), "g.", between)
    };
    let target = |id: &str, properties: String| {
        format!("[{id}]{bootstrap}/{topic}?g.linger.ms=1&{properties}")
    };
    let right = properties_of("sasl_plaintext", "SCRAM-SHA-256", "&");
    let secure = properties_of("sasl_ssl", "SCRAM-SHA-512", "&");
    let wrong = right.replace(PASSWORD, "another");
    let consume = format!(
        "brokers={bootstrap};group={topic};topics={topic};t.auto.offset.reset=earliest;{}",
        properties_of("sasl_ssl", "SCRAM-SHA-256", ";")
    );
    let kamailio = Config::of("event_kafka")
        .text_param("broker_id", &target("plain", right))
        .text_param("broker_id", &target("secure", secure))
        .text_param("broker_id", &target("wrong", wrong))
        .text_param("consume", &consume)
        .number("drain_timeout_ms", 300)
        .request(r#"kafka_publish("$rU", "by $rU"); $var(answer) = "rc=" + $rc;"#)
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{ $var(count) = $shtinc(count=>$kafka(msg)); }}"#
        ))
        .start();
    let mut sip = kamailio.sip();
    for id in ["plain", "secure", "wrong"] {
        assert_eq!(sip.message(id, b""), "rc=1", "{id}");
    }
    guarded.has(&["by plain", "by secure"]);
    wait::until("both are consumed", || {
        kamailio.counted("by plain") > 0 && kamailio.counted("by secure") > 0
    });
    refusal_is_told(&kamailio);
    let (entered, refused) = guarded.guard.logins();
    assert!(entered >= 3 && refused > 0, "{entered} {refused}");
    guarded.has(&["by plain", "by secure"]);
    let log = kamailio.stop();
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn kafka_so_starts_where_its_login_is_taken() {
    needs!("kamailio", "kafka_module", "tansu");
    let _turn = turn::light();
    let guarded = Guarded::start();
    let right = properties(&login(&guarded.made, "sasl_ssl", "SCRAM-SHA-256"), "", ";");
    let config = |properties: &str, patience: i64| {
        Config::of("kafka")
            .text_param("brokers", guarded.kafka.bootstrap())
            .text_param("configuration", &format!("linger.ms=1;{properties}"))
            .number("metadata_timeout", patience)
            .text_param("topic", &format!("name={}", guarded.topic))
            .request(&format!(
                r#"kafka_send("{}", "$rU"); $var(answer) = "rc=" + $rc;"#,
                guarded.topic
            ))
    };
    let kamailio = config(&right, 60_000).start();
    assert_eq!(kamailio.sip().message("one", b""), "rc=1");
    guarded.has(&["one"]);
    kamailio.stop();
    let (_, log) = config(&right.replace(PASSWORD, "another"), 3000).refused();
    assert!(log.contains("none of them answers"), "{log}");
    assert!(guarded.guard.logins().1 > 0);
}
