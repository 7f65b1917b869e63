//! A socket that events go to has one line in `kafka.stats`, whatever becomes of the library's clients and of the engine.

use serde_json::json;

use super::proxy::Proxy;
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
