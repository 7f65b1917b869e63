//! What is wrong with certificates, by connector: each is refused with words that say which it was, and
//! what was accepted meanwhile arrives when it is put right.

mod case;

use async_nats::ConnectOptions;

use super::proxy::Proxy;
use crate::certificates::Certificates;
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::kazoo::broker;
use crate::kazoo::bus::{Bus, Listener};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::server::nats::Nats;
use crate::server::rabbitmq::Rabbit;
use crate::subscriber::Subscriber;
use crate::{port, turn, wait};
use case::{CASES, Case};

/// Messages accepted while nobody can be trusted.
const COUNT: usize = 20;

/// A broker, and who receives from it.
trait Broker {
    /// What it shows from now on, and whether it demands a client's certificate.
    fn shows(&mut self, made: &Certificates, name: &str, demands: bool);
    /// It was put right: what clients send is seen from now on.
    fn open(&mut self, made: &Certificates, kamailio: &Kamailio);
    /// A configuration that trusts `trusted.pem`, shows `shown.pem` where `shows`, and publishes the
    /// user's name.
    fn config(&self, made: &Certificates, shows: bool) -> Config;
    /// What arrived.
    fn arrived(&mut self) -> Vec<String>;
}

fn last_error(kamailio: &Kamailio) -> String {
    let error = &kamailio.connector()["last_error"];
    error.as_str().unwrap_or_default().to_owned()
}

/// One case: refused, told, put right, arrived.
fn runs(case: &Case, broker: &mut impl Broker) {
    let made = Certificates::new();
    made.copy("trusted.pem", &format!("{}.pem", case.ca));
    if let Some(client) = case.client {
        made.renew("shown", client);
    }
    broker.shows(&made, case.server, case.demanded);
    let config = broker.config(&made, case.client.is_some());
    let kamailio = config.start();
    wait::until(&format!("operators read: {}", case.says), || {
        last_error(&kamailio).contains(case.says)
    });
    let mut sip = kamailio.sip();
    let sent: Vec<String> = (0..COUNT).map(|number| format!("m{number:02}")).collect();
    for name in &sent {
        assert_eq!(sip.message(name, b""), "rc=1");
    }
    assert_ne!(kamailio.connector()["state"], "connected");
    // Put right: where the client has nothing to show, the server no longer asks.
    made.copy("trusted.pem", "ca.pem");
    if case.client.is_some() {
        made.renew("shown", "client");
    }
    broker.shows(&made, "server", case.demanded && case.client.is_some());
    broker.open(&made, &kamailio);
    wait::until("what was accepted arrives", || {
        broker.arrived().len() >= COUNT
    });
    // Several processes took them.
    let mut arrived = broker.arrived();
    arrived.sort();
    assert_eq!(arrived, sent);
    let log = kamailio.stop();
    assert!(
        log.contains(case.says),
        "{}: not in the log:\n{log}",
        case.says
    );
}

/// nats-server, which begins without TLS: no proxy can take its place.
struct OverNats {
    nats: Nats,
    gate: Gate,
    seen: Option<Subscriber>,
}

impl Broker for OverNats {
    fn shows(&mut self, made: &Certificates, name: &str, demands: bool) {
        self.gate.shut();
        self.nats.stop();
        self.nats.configure(&format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {demands} }}",
            made.path(&format!("{name}.pem")),
            made.path(&format!("{name}.key")),
            made.path("ca.pem"),
        ));
        self.nats.start_again();
    }

    fn open(&mut self, made: &Certificates, _kamailio: &Kamailio) {
        let options = ConnectOptions::new()
            .add_root_certificates(made.path("ca.pem").into())
            .add_client_certificate(
                made.path("client.pem").into(),
                made.path("client.key").into(),
            );
        let url = format!("tls://localhost:{}", self.nats.port());
        self.seen = Some(Subscriber::with_options(options, &url, "calls"));
        self.gate.open();
    }

    fn config(&self, made: &Certificates, shows: bool) -> Config {
        self.gate.open();
        let config = Config::at(&format!("tls://localhost:{}", self.gate.port()))
            .nats("tls_ca_file", &made.path("trusted.pem"))
            .number("reconnect_wait_ms_max", 200)
            .request(r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#);
        if !shows {
            return config;
        }
        config
            .nats("tls_cert_file", &made.path("shown.pem"))
            .nats("tls_key_file", &made.path("shown.key"))
    }

    fn arrived(&mut self) -> Vec<String> {
        self.seen.as_ref().map_or_else(Vec::new, Subscriber::texts)
    }
}

#[test]
fn nats_says_what_is_wrong_and_loses_nothing() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    for case in &CASES {
        let nats = Nats::start();
        let gate = Gate::before(nats.port());
        let seen = None;
        runs(case, &mut OverNats { nats, gate, seen });
    }
}

/// RabbitMQ behind the proxy.
struct OverAmqp {
    proxy: Proxy,
    seen: Listener,
}

impl Broker for OverAmqp {
    fn shows(&mut self, made: &Certificates, name: &str, demands: bool) {
        self.proxy.show(made, name, demands);
    }

    fn open(&mut self, _made: &Certificates, _kamailio: &Kamailio) {}

    fn config(&self, made: &Certificates, shows: bool) -> Config {
        let config = broker::alone()
            .text_param(
                "amqp_connection",
                &format!("amqps://guest:guest@localhost:{}", self.proxy.port()),
            )
            .text_param("amqps_ca_cert", &made.path("trusted.pem"))
            .request(r#"kazoo_publish("tls.matrix", "$rU", "{}"); $var(answer) = "rc=" + $rc;"#);
        if !shows {
            return config;
        }
        config
            .text_param("amqps_cert", &made.path("shown.pem"))
            .text_param("amqps_key", &made.path("shown.key"))
    }

    fn arrived(&mut self) -> Vec<String> {
        let all = self.seen.messages();
        all.into_iter().map(|message| message.key).collect()
    }
}

#[test]
fn amqp_says_what_is_wrong_and_loses_nothing() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::shared();
    for case in &CASES {
        let made = Certificates::new();
        let proxy = Proxy::before(rabbit.port(), &made, "server", false);
        let seen = Bus::to(rabbit.port()).listen("tls.matrix", "topic", "#");
        runs(case, &mut OverAmqp { proxy, seen });
    }
}

/// tansu behind the proxy.
struct OverKafka {
    proxy: Proxy,
    kafka: Kafka,
    topic: String,
}

impl Broker for OverKafka {
    fn shows(&mut self, made: &Certificates, name: &str, demands: bool) {
        self.proxy.show(made, name, demands);
    }

    fn open(&mut self, _made: &Certificates, kamailio: &Kamailio) {
        // The library reads files when a client is made.
        assert_eq!(kamailio.rpc("event_kafka.tls_reload", &[]), "OK");
    }

    fn config(&self, made: &Certificates, shows: bool) -> Config {
        let mut socket = format!(
            "[k1]{}/{}?g.linger.ms=1&g.broker.address.family=v4&g.reconnect.backoff.max.ms=500\
             &g.security.protocol=ssl&g.ssl.ca.location={}",
            self.kafka.bootstrap(),
            self.topic,
            made.path("trusted.pem")
        );
        if shows {
            let (chain, key) = (made.path("shown.pem"), made.path("shown.key"));
            socket += &format!("&g.ssl.certificate.location={chain}&g.ssl.key.location={key}");
        }
        Config::of("event_kafka")
            .text_param("broker_id", &socket)
            .request(r#"kafka_publish("k1", "$rU", "one"); $var(answer) = "rc=" + $rc;"#)
    }

    fn arrived(&mut self) -> Vec<String> {
        let mut topic = self.kafka.records(&self.topic);
        topic.records().iter().map(|record| record.text()).collect()
    }
}

#[test]
fn kafka_says_what_is_wrong_and_loses_nothing() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let made = Certificates::new();
    let upstream = port::free();
    for case in &CASES {
        let proxy = Proxy::before(upstream, &made, "server", false);
        let kafka = Kafka::behind(upstream, proxy.port());
        let topic = kafka.topic();
        let mut broker = OverKafka {
            proxy,
            kafka,
            topic,
        };
        runs(case, &mut broker);
    }
}
