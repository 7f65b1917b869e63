//! The sockets that events go to: each has one line in `kafka.stats`, whatever becomes of the library's clients and of
//! the engine, and its certificates are read again like all others, whoever has subscribed it.

use std::collections::BTreeSet;

use serde_json::json;

use super::properties;
use super::proxy::Proxy;
use super::secure_kafka::SecureKafka;
use crate::certificates::Certificates;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{port, turn, wait};

/// The sockets, each with how many messages were delivered to it.
fn lines(kamailio: &Kamailio) -> Vec<(String, u64)> {
    let stats = kamailio.rpc("kafka.stats", &[]);
    let lines = stats["brokers"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let id = line["id"].as_str().unwrap().to_owned();
            (id, line["delivered"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn each_keeps_its_line() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let made = Certificates::new();
    let upstream = port::free();
    let proxy = Proxy::before(upstream, &made, "server", false);
    let kafka = Kafka::behind(upstream, proxy.port());
    let secure = format!(
        "g.broker.address.family=v4&g.security.protocol=ssl&g.ssl.ca.location={}",
        made.path("ca.pem")
    );
    let [one, two] =
        [kafka.topic(), kafka.topic()].map(|topic| format!("kafka:{}/{topic}", kafka.bootstrap()));
    let kamailio = Config::of("event_kafka")
        .text_param("event_subscription", &format!("E_ONE {one}?{secure}"))
        .text_param("event_subscription", &format!("E_TWO {two}?{secure}"))
        .start();
    let raise = |events: [&str; 2]| {
        for event in events {
            kamailio.rpc("raise_event", &[json!(event)]);
            let id = if event == "E_ONE" { &one } else { &two };
            wait::until("its socket has a line", || {
                lines(&kamailio).iter().any(|(line, _)| line == id)
            });
        }
    };
    let delivered = |least: u64| {
        wait::until("the events are delivered", || {
            lines(&kamailio).iter().all(|(_, count)| *count >= least)
        });
    };
    raise(["E_ONE", "E_TWO"]);
    delivered(1);
    let begun = [(one.clone(), 1), (two.clone(), 1)];
    assert_eq!(lines(&kamailio), begun);

    assert_eq!(kamailio.rpc("event_kafka.tls_reload", &[]), "OK");
    kamailio.wait_counter("tls_renewals", 1);
    assert_eq!(lines(&kamailio), begun);
    raise(["E_TWO", "E_ONE"]);
    delivered(2);
    assert_eq!(lines(&kamailio), begun.map(|(id, _)| (id, 2)));
    kamailio.wait_counter("delivered", 4);

    kamailio.kill_engine();
    raise(["E_TWO", "E_ONE"]);
    delivered(3);
    assert_eq!(
        lines(&kamailio)
            .into_iter()
            .map(|(id, _)| id)
            .collect::<Vec<_>>(),
        [one.clone(), two.clone()]
    );
    kamailio.stop();
}

/// A broker that demands a client's certificate, and a Kamailio whose script subscribes and raises events.
struct Late {
    secure: SecureKafka,
    kamailio: Kamailio,
}

impl Late {
    fn start() -> Self {
        let secure = SecureKafka::start();
        let mut list = secure.client("trusted.pem");
        list.push(("linger.ms", "1".to_owned()));
        list.push(("reconnect.backoff.max.ms", "500".to_owned()));
        let socket = format!(
            "kafka:{}/{}?{}",
            secure.kafka.bootstrap(),
            secure.topic,
            properties(&list, "g.", "&")
        );
        let kamailio = Config::of("event_kafka")
            .request(&format!(
                r#"$var(socket) = "{socket}";
                   if ($rU == "subscribe") {{ subscribe_event("E_LATE", "$var(socket)"); }}
                   else {{ raise_event_json("E_LATE", "[\"$rU\"]"); }}
                   $var(answer) = "rc=" + $rc;"#
            ))
            .start();
        Self { secure, kamailio }
    }

    fn reload(&self) -> Result<serde_json::Value, String> {
        self.kamailio.try_rpc("event_kafka.tls_reload", &[])
    }

    fn say(&self, user: &str) {
        assert_eq!(self.kamailio.sip().message(user, b""), "rc=1", "{user}");
    }
}

#[test]
fn one_that_a_script_has_subscribed_goes_on_with_new_certificates() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    const EACH: u64 = 20;
    let late = Late::start();
    late.secure.made.copy("trusted.pem", "ca.pem");
    let why = late.reload().unwrap_err();
    assert!(why.contains("no broker is spoken to with TLS"), "{why}");
    late.say("subscribe");
    let mut sent = BTreeSet::new();
    let say = |sent: &mut BTreeSet<String>| {
        for _ in 0..EACH {
            let user = format!("u{}", sent.len());
            late.say(&user);
            sent.insert(format!(
                r#"{{"jsonrpc":"2.0","method":"E_LATE","params":["{user}"]}}"#
            ));
        }
    };
    say(&mut sent);
    // It is not spoken to before the first event is on its way.
    late.kamailio.wait_counter("delivered", 1);
    for (round, name) in (1..).zip(["second", "client", "second"]) {
        say(&mut sent);
        late.secure.made.renew("shown", name);
        assert_eq!(late.reload().unwrap(), "OK");
        say(&mut sent);
        late.kamailio.wait_counter("tls_renewals", round);
        late.secure.made.spoil("shown.pem");
        let why = late.reload().unwrap_err();
        assert!(why.contains("shown.pem"), "{why}");
    }
    say(&mut sent);
    let mut topic = late.secure.kafka.records(&late.secure.topic);
    wait::until("all are there", || {
        let texts = topic.records().iter().map(|record| record.text());
        texts.collect::<BTreeSet<_>>() == sent
    });
    assert!(late.secure.proxy.saw(&late.secure.made, "second") > 0);
    late.kamailio.stop();
}

#[test]
fn one_that_was_left_out_for_its_files_is_taken_when_they_are_read_again() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let late = Late::start();
    late.say("subscribe");
    late.say("lost");
    wait::until("it is told", || {
        let log = late.kamailio.log();
        log.lines().any(|line| line.contains("are left out"))
    });
    late.secure.made.copy("trusted.pem", "ca.pem");
    // The second finds it left out still: it is tried with its next event.
    for round in [1, 2] {
        assert_eq!(late.reload().unwrap(), "OK");
        late.kamailio.wait_counter("tls_renewals", round);
    }
    late.say("again");
    let record = late.secure.kafka.records(&late.secure.topic).only();
    assert!(record.text().contains("again"), "{record:?}");
    late.kamailio.stop();
}
