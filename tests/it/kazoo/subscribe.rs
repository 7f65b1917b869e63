//! `kazoo_subscribe`: every field of its document, seen from what then arrives.

use super::broker::{at, shared, start};
use super::bus::{Bus, Listener};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{turn, wait};

/// Publishes every event to `exchange`, with what it carried: key and document.
fn telling(config: Config, exchange: &str, subscribe: &str) -> Config {
    config.routes(&format!(
        r#"event_route[kazoo:mod-init] {{
               {subscribe}
           }}
           event_route[kazoo:consumer-event] {{
               if ($(kzE{{kz.json,Event-Category}}) == "connection") {{ exit; }}
               kazoo_publish("{exchange}", "$kzRK", "$kzE");
           }}"#
    ))
}

pub(super) fn with(config: Config, exchange: &str, subscribe: &str) -> Kamailio {
    start(telling(config, exchange, subscribe))
}

/// A client, and what the event routes publish.
pub(super) fn observer(exchange: &str) -> (Bus, Listener) {
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen(exchange, "topic", "#");
    (bus, seen)
}

/// The keys of what arrived, in order of the alphabet.
pub(super) fn keys(seen: &Listener, count: usize) -> Vec<String> {
    seen.wait_for(count);
    seen.settle();
    let mut keys: Vec<String> = seen.messages().into_iter().map(|each| each.key).collect();
    keys.sort();
    keys
}

#[test]
fn the_form_with_four_arguments() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (bus, seen) = observer("s.four.seen");
    let kamailio = with(
        shared(),
        "s.four.seen",
        r#"$var(queue) = "s.four.queue";
           kazoo_subscribe("s.four", "direct", $var(queue), "the.key");"#,
    );
    bus.publish("s.four", "other.key", "{}");
    bus.publish("s.four", "the.key", r#"{'Name': "x/y", "n": 1.50}"#);
    let message = seen.only();
    assert_eq!(message.key, "the.key");
    let text = message.text();
    let begin = r#"{ "Name": "x\/y", "n": 1.50, "AMQP-Broker-Zone": "local", "AMQP-Received": "#;
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(bus.waiting("s.four.queue"), Some((0, 1)));
    kamailio.stop();
    // Its last consumer is gone, and with it the queue.
    wait::until("the queue is gone", || {
        bus.waiting("s.four.queue").is_none()
    });
}

#[test]
fn one_key_several_keys_or_none() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (bus, seen) = observer("s.keys.seen");
    let kamailio = with(
        shared(),
        "s.keys.seen",
        r#"kazoo_subscribe("{'exchange':'s.keys','type':'topic','queue':'s.keys.1','routing':'one.*'}");
           kazoo_subscribe("{'exchange':'s.keys','type':'topic','queue':'s.keys.2','routing':['two.#','three','four']}");
           kazoo_subscribe("{'exchange':'s.fan','type':'fanout','queue':'s.keys.3'}");"#,
    );
    for key in [
        "one.a", "one.a.b", "two", "two.a.b", "three", "four", "five",
    ] {
        bus.publish("s.keys", key, "{}");
    }
    bus.publish("s.fan", "anything", "{}");
    let expected = ["anything", "four", "one.a", "three", "two", "two.a.b"];
    assert_eq!(keys(&seen, expected.len()), expected);
    kamailio.stop();
}

#[test]
fn the_definitions_of_exchange_and_queue_are_followed() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = Bus::to(rabbit.port());
    let kamailio = start(at(&rabbit.url()).routes(
        r#"event_route[kazoo:mod-init] {
               kazoo_subscribe("{'exchange':'plain','type':'topic','queue':'plain','routing':'#'}");
               kazoo_subscribe("{'exchange':'flat','type':'topic','queue':'flat','routing':'#','durable':1,'auto_delete':0}");
               kazoo_subscribe("{'exchange':'nested','exchange-def':{'type':'fanout','durable':true,'auto_delete':true,'internal':'1'},
                   'queue':'nested','queue-def':{'durable':'1','auto_delete':false,'exclusive':0}}");
               kazoo_subscribe("{'exchange':'nested2','exchange-def':{'type':'direct'},'queue':'own','queue-def':{'exclusive':1},'routing':'k'}");
           }"#,
    ));
    let mut exchanges: Vec<String> = rabbit
        .control(&[
            "list_exchanges",
            "name",
            "type",
            "durable",
            "auto_delete",
            "internal",
        ])
        .lines()
        .filter(|line| !line.starts_with("amq.") && !line.starts_with("name"))
        .map(|line| line.replace('\t', " "))
        .filter(|line| !line.starts_with(' '))
        .collect();
    exchanges.sort();
    assert_eq!(
        exchanges,
        [
            "flat topic true false false",
            "nested fanout true true true",
            "nested2 direct false false false",
            "plain topic false false false",
            "targeted direct false false false",
        ]
    );
    let queues = rabbit.control(&["list_queues", "name", "durable", "auto_delete", "exclusive"]);
    for expected in [
        "plain\tfalse\ttrue\tfalse",
        "flat\ttrue\tfalse\tfalse",
        "nested\ttrue\tfalse\tfalse",
        "own\tfalse\ttrue\ttrue",
    ] {
        assert!(
            queues.lines().any(|line| line == expected),
            "{expected}:\n{queues}"
        );
    }
    assert_eq!(bus.waiting("plain"), Some((0, 1)));
    kamailio.stop();
}

#[test]
fn all_bindings_between_exchanges_are_made() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (bus, seen) = observer("s.bind.seen");
    let kamailio = with(
        shared(),
        "s.bind.seen",
        r#"kazoo_subscribe("{'exchange':'s.bind','type':'topic','queue':'s.bind','routing':'#',
               'exchange-bindings': {
                   's.from1': {'type':'topic','routing':['a.*','b']},
                   's.from2': {'type':'topic','routing':'c'},
                   's.from3': {'type':'fanout','routing':['d']} } }");"#,
    );
    for (exchange, key) in [
        ("s.from1", "a.1"),
        ("s.from1", "b"),
        ("s.from1", "c"),
        ("s.from2", "c"),
        ("s.from2", "b"),
        ("s.from3", "any"),
        ("s.bind", "own"),
    ] {
        bus.publish(exchange, key, "{}");
    }
    assert_eq!(keys(&seen, 5), ["a.1", "any", "b", "c", "own"]);
    kamailio.stop();
}

#[test]
fn a_passive_subscription_takes_what_is_there() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (bus, seen) = observer("s.passive.seen");
    bus.keep("s.passive", "s.passive.queue");
    bus.publish("s.passive", "before", "{}");
    let kamailio = with(
        shared(),
        "s.passive.seen",
        r#"kazoo_subscribe("{'exchange':'s.passive','exchange-def':{'type':'topic','passive':1},
               'queue':'s.passive.queue','queue-def':{'passive':1},'routing':'#','no_ack':0}");"#,
    );
    assert_eq!(seen.only().key, "before");
    kamailio.stop();
    assert!(bus.waiting("s.passive.queue").is_some());
}
