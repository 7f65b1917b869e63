//! Events go to Kafka, NATS, RabbitMQ and the event socket, each by the connector of its module.

use serde_json::json;

use super::{event, on, subscribed};
use crate::evapi::client::Client;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::server::nats::Nats;
use crate::subscriber::text;
use crate::{port, turn, wait};

#[test]
fn the_event_socket_gets_it_by_tag_or_all() {
    needs!("kamailio", "event_kafka", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = Config::of("event_kafka")
        .after(&format!(
            "loadmodule \"evapi.so\"\nmodparam(\"evapi\", \"bind_addr\", \"127.0.0.1:{port}\")"
        ))
        .text_param("event_subscription", "E_TEST evapi:billing")
        .text_param("event_subscription", "E_ALL evapi:")
        .request(r#"raise_event_json("E_TEST", "[1]"); raise_event("E_ALL"); $var(answer) = "" + $rc;"#)
        .routes(r#"event_route[evapi:connection-new] { if ($shtinc(count=>clients) == 1) { evapi_set_tag("billing"); } }"#)
        .start();
    let mut billing = Client::connect(&kamailio, port);
    let mut other = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("x", b""), "1");
    let all = r#"{"jsonrpc":"2.0","method":"E_ALL"}"#;
    assert_eq!(billing.frame(), event("[1]").into_bytes());
    assert_eq!(billing.frame(), all.as_bytes());
    assert_eq!(other.frame(), all.as_bytes());
    kamailio.stop();
}

#[test]
fn kafka_gets_it_with_the_call_id_as_key() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let (keyed, plain) = (kafka.topic(), kafka.topic());
    let bootstrap = kafka.bootstrap();
    let kamailio = Config::of("event_kafka")
        .text_param(
            "event_subscription",
            &format!("E_TEST kafka:{bootstrap}/{keyed}?key=callid"),
        )
        .request(&format!(
            r#"subscribe_event("E_TEST", "kafka:{bootstrap}/{plain}?g.linger.ms=1");
               raise_event_json("E_TEST", "[1]"); $var(answer) = "" + $rc + " " + $ci;"#
        ))
        .start();
    let answer = kamailio.sip().message("x", b"");
    let callid = answer.strip_prefix("1 ").unwrap();
    let record = kafka.records(&keyed).only();
    assert_eq!(record.text(), event("[1]"));
    assert_eq!(record.key_text().as_deref(), Some(callid));
    assert_eq!(kafka.records(&plain).only().key, None);
    wait::until("its broker is shown", || {
        kamailio.connector()["server"] == bootstrap
    });
    // An operator's event has no message, so no Call-ID either.
    kamailio.rpc("raise_event", &[json!("E_TEST")]);
    let records = kafka.records(&keyed).wait_for(2);
    let without = records.iter().filter(|record| record.key.is_none());
    assert_eq!(without.count(), 1, "{records:?}");
    kamailio.stop();
}

#[test]
fn one_event_goes_everywhere() {
    needs!("kamailio", "event_kafka", "kafka", "nats", "evapi");
    let _turn = turn::light();
    let (kafka, nats) = (Kafka::start(), Nats::start());
    let (topic, port) = (kafka.topic(), port::free());
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .after(&format!(
            "loadmodule \"evapi.so\"\nmodparam(\"evapi\", \"bind_addr\", \"127.0.0.1:{port}\")"
        ))
        .text_param("event_subscription", "E_TEST evapi:")
        .text_param(
            "event_subscription",
            &format!("E_TEST kafka:{}/{topic}", kafka.bootstrap()),
        )
        .request(
            r#"raise_event_json("E_TEST", "[1]"); $var(answer) = "" + $rc + " " + $var(seen);"#,
        )
        .routes(r#"event_route[event:E_TEST] { $var(seen) = "and a route"; }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("x", b""), "1 and a route");
    assert_eq!(client.frame(), event("[1]").into_bytes());
    assert_eq!(text(&subscriber.only()), event("[1]"));
    assert_eq!(kafka.records(&topic).only().text(), event("[1]"));
    kamailio.stop();
}

#[test]
fn the_module_is_connected_while_the_brokers_of_all_sockets_are_there() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::gated();
    kafka.gate().open();
    let topic = kafka.topic();
    kafka.gate().shut();
    let kamailio = Config::of("event_kafka")
        .text_param(
            "event_subscription",
            &format!("E_TEST kafka:{}/{topic}", kafka.bootstrap()),
        )
        .request(r#"raise_event("E_TEST"); $var(answer) = "" + $rc;"#)
        .start();
    // No broker is wanted before the first event.
    kamailio.wait_counter("connected", 1);
    assert_eq!(kamailio.sip().message("x", b""), "1");
    wait::until("its broker is missing", || {
        kamailio.counter("connected") == 0
    });
    kafka.gate().open();
    kafka.records(&topic).wait_for(1);
    kamailio.wait_counter("connected", 1);
    assert_eq!(kamailio.counter("reconnects"), 1);
    kamailio.stop();
}

#[test]
fn a_socket_s_broker_that_is_missing_shows_beside_one_that_is_there() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = Config::of("event_kafka")
        .text_param("broker_id", &format!("[k]{}/{topic}", kafka.bootstrap()))
        .text_param(
            "event_subscription",
            &format!("E_TEST kafka:127.0.0.1:{}/t", port::free()),
        )
        .request(
            r#"if ($rU == "raise") raise_event("E_TEST");
               else kafka_publish("k", "x");
               $var(answer) = "" + $rc;"#,
        )
        .start();
    kamailio.wait_counter("connected", 1);
    assert_eq!(kamailio.sip().message("raise", b""), "1");
    wait::until("a broker is missing", || kamailio.counter("connected") == 0);
    // The other one is there all the time. It counts as delivered behind the event if the same worker sent both.
    assert_eq!(kamailio.sip().message("publish", b""), "1");
    kafka.records(&topic).wait_for(1);
    assert_eq!(kamailio.counter("connected"), 0);
    kamailio.stop();
}

#[test]
fn sockets_of_kafkas_that_come_late_are_checked_by_the_library() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .number("event_sockets_max", 1)
        .request(r#"raise_event("E_TEST"); $var(answer) = "" + $rc;"#)
        .start();
    let wrong = "kafka:127.0.0.1:9092/t?g.no.such.property=1";
    kamailio.rpc("event_subscribe", &[json!("E_TEST"), json!(wrong)]);
    kamailio.sip().message("x", b"");
    wait::until("the mistake is told", || {
        kamailio.log().contains("no.such.property")
    });
    kamailio.stop();
}
