//! The manual's examples: every one is taken out of it and run.

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{manual, turn, wait};

#[test]
fn every_example_runs() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let blocks = manual::examples("event_kafka");
    // Names and addresses of the examples are not on this broker, and each is used twice.
    let topic = kafka.topic();
    let orders = kafka.topic();
    let here = |text: &str| {
        let own = text.replace("127.0.0.1:9092", kafka.bootstrap());
        own.replace("/calls?", &format!("/{topic}?"))
            .replace("topics=orders;", &format!("topics={orders};"))
            .replace(
                "topics=orders",
                &format!("topics={orders};t.auto.offset.reset=earliest"),
            )
            .replace("kafka:orders]", &format!("kafka:{orders}]"))
    };
    let overview = &blocks[0];
    let mut config = Config::of("event_kafka");
    for (name, value) in manual::params(overview) {
        config = config.text_param(&name, &here(&value));
    }
    let (mut request, mut routes) = (
        manual::statements(overview),
        here(&manual::routes(overview)),
    );
    for block in &blocks[1..] {
        request.push_str(&manual::statements(block));
        // Routes of the overview are shown again with more to them.
        let more = manual::routes(block);
        if !more.contains("route[kafka_report]") && !more.contains("[kafka:orders]") {
            routes.push_str(&more);
        }
    }
    let kamailio = config.request(&request).routes(&routes).start();
    kamailio.sip().message("anyone", b"a body");
    kamailio.wait_counter("delivered", 4);
    kamailio.wait_counter("reported", 3);
    assert_eq!(kafka.records(&topic).wait_for(4).len(), 4);
    kafka.records(&orders).publish("k", "an order");
    wait::until("the record's route has run", || {
        kamailio.log().contains("k: an order")
    });
    kamailio.stop();
}

#[test]
fn every_parameter_and_longer_route_is_accepted() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let blocks = manual::examples("event_kafka");
    let mut config = Config::of("event_kafka").number("drain_timeout_ms", 100);
    let mut routes = String::new();
    for block in &blocks[1..] {
        for (name, value) in manual::params(block) {
            if name != "event_callback" {
                // No broker there: the syntax and the library's verdict are tried.
                let value = value
                    .replace("127.0.0.1:9092", "127.0.0.1:1")
                    .replace('\\', "\\\\");
                config = config.text_param(&name, &value);
            }
        }
        routes.push_str(&manual::routes(block));
    }
    let kamailio = config.routes(&routes).start();
    kamailio.stop();
}
