//! Which event route runs.

use super::broker::{shared, start};
use super::bus::{Bus, Listener};
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

/// The name of each route that ran goes to the exchange `NAME.seen` as routing key.
fn naming(name: &str, subscribe: &str, routes: &[&str]) -> (Kamailio, Bus, Listener) {
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen(&format!("{name}.seen"), "topic", "#");
    let mut config = shared().routes(&format!(
        "event_route[kazoo:mod-init] {{ {subscribe} }}
         event_route[kazoo:consumer-event-connection-open] {{ exit; }}"
    ));
    for route in routes {
        config = config.routes(&format!(
            r#"event_route[kazoo:{route}] {{ kazoo_publish("{name}.seen", "{route}", "{{}}"); }}"#
        ));
    }
    (start(config), bus, seen)
}

#[test]
fn the_first_route_that_exists_runs() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (kamailio, bus, seen) = naming(
        "e.order",
        r##"kazoo_subscribe("e.order", "topic", "e.order", "#");"##,
        &[
            "consumer-event-presence-update",
            "consumer-event-presence",
            "consumer-event-event-category-event-name",
            "consumer-event-event-category",
            "consumer-event",
        ],
    );
    let vectors = [
        (
            r#"{"Event-Category":"presence","Event-Name":"update"}"#,
            "consumer-event-presence-update",
        ),
        (
            r#"{"Event-Category":"PRESENCE","Event-Name":"Update"}"#,
            "consumer-event-presence-update",
        ),
        (
            r#"{"Event-Category":"presence","Event-Name":"probe"}"#,
            "consumer-event-presence",
        ),
        (
            r#"{"Event-Category":"presence"}"#,
            "consumer-event-presence",
        ),
        (
            r#"{"Event-Category":"other","Event-Name":"x"}"#,
            "consumer-event-event-category-event-name",
        ),
        ("{}", "consumer-event-event-category-event-name"),
        (
            r#"{"Event-Category":"no route.[name]"}"#,
            "consumer-event-event-category-event-name",
        ),
    ];
    for (count, (document, route)) in vectors.into_iter().enumerate() {
        bus.publish("e.order", "key", document);
        assert_eq!(seen.wait_for(count + 1)[count].key, route, "{document}");
    }
    let long = format!(r#"{{"Event-Category":"{}"}}"#, "x".repeat(5000));
    bus.publish("e.order", "key", long);
    assert_eq!(
        seen.wait_for(8)[7].key,
        "consumer-event-event-category-event-name"
    );
    kamailio.stop();
}

#[test]
fn the_last_resorts_run_in_their_order() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (kamailio, bus, seen) = naming(
        "e.last",
        r##"kazoo_subscribe("e.last", "topic", "e.last", "#");"##,
        &["consumer-event-event-category", "consumer-event"],
    );
    bus.publish("e.last", "key", "{}");
    assert_eq!(seen.wait_for(1)[0].key, "consumer-event-event-category");
    kamailio.stop();
    let (kamailio, bus, seen) = naming(
        "e.least",
        r##"kazoo_subscribe("e.least", "topic", "e.least", "#");"##,
        &["consumer-event"],
    );
    bus.publish(
        "e.least",
        "key",
        r#"{"Event-Category":"a","Event-Name":"b"}"#,
    );
    assert_eq!(seen.wait_for(1)[0].key, "consumer-event");
    kamailio.stop();
}

#[test]
fn a_subscription_may_have_keys_of_its_own() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (kamailio, bus, seen) = naming(
        "e.own",
        r#"kazoo_subscribe("{'exchange':'e.own','type':'topic','queue':'e.own','routing':'#',
               'event_key':'My_Kind','event_subkey':'My-Name'}");"#,
        &[
            "consumer-event-a-b",
            "consumer-event-a-my-name",
            "consumer-event-my-kind",
            "consumer-event-my-kind-my-name",
            "consumer-event",
        ],
    );
    let vectors = [
        (r#"{"My_Kind":"a","My-Name":"b"}"#, "consumer-event-a-b"),
        // What is missing stands for itself.
        (r#"{"My_Kind":"a"}"#, "consumer-event-a-my-name"),
        (
            r#"{"Event-Category":"a","Event-Name":"b"}"#,
            "consumer-event-my-kind-my-name",
        ),
        (
            r#"{"My_Kind":"x","My-Name":"y"}"#,
            "consumer-event-my-kind-my-name",
        ),
    ];
    for (count, (document, route)) in vectors.into_iter().enumerate() {
        bus.publish("e.own", "key", document);
        assert_eq!(seen.wait_for(count + 1)[count].key, route, "{document}");
    }
    kamailio.stop();
}

#[test]
fn the_module_may_have_other_keys() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let kamailio = start(
        shared()
            .text_param("amqp_consumer_event_key", "Kind")
            .text_param("amqp_consumer_event_subkey", "What")
            .routes(
                r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.module", "topic", "e.module", "#"); }
                   event_route[kazoo:consumer-event-connection-open] { $var(n) = $shtinc(count=>open); }
                   event_route[kazoo:consumer-event-a-b] { $var(n) = $shtinc(count=>ab); }
                   event_route[kazoo:consumer-event-kind-what] { $var(n) = $shtinc(count=>kindwhat); }"##,
            ),
    );
    kamailio.wait_counted("open", 1);
    bus.publish("e.module", "key", r#"{"Kind":"a","What":"b"}"#);
    bus.publish(
        "e.module",
        "key",
        r#"{"Event-Category":"a","Event-Name":"b"}"#,
    );
    kamailio.wait_counted("ab", 1);
    kamailio.wait_counted("kindwhat", 1);
    kamailio.stop();
}

#[test]
fn an_event_without_a_route_is_counted() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let kamailio = start(shared().routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.none", "topic", "e.none", "#"); }
           event_route[kazoo:consumer-event-known] { $var(n) = $shtinc(count=>known); }"##,
    ));
    bus.publish("e.none", "key", r#"{"Event-Category":"unknown"}"#);
    bus.publish("e.none", "key", r#"{"Event-Category":"known"}"#);
    kamailio.wait_counted("known", 1);
    kamailio.wait_counter("unrouted", 1);
    kamailio.stop();
}
