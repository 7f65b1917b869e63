//! Which event route runs, what it sees, and the events of connections.

use super::broker::{at, shared, start};
use super::bus::{Bus, Listener};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::rabbitmq::{self, Rabbit};
use crate::{turn, wait};

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
fn an_event_begins_afresh_however_the_one_before_ended() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("e.fresh.seen", "topic", "#");
    let kamailio = start(shared().number("amqp_consumer_workers", 1).routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.fresh", "topic", "e.fresh", "#"); }
           event_route[kazoo:consumer-event] {
               if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
               if ($avp(left) != $null) { kazoo_publish("e.fresh.seen", "left", "{}"); }
               if ($kzR != $null) { kazoo_publish("e.fresh.seen", "result", "{}"); }
               $avp(left) = $kzRK;
               kazoo_publish("e.fresh.seen", "$kzRK", "{}");
               if ($kzRK == "exit") { exit; }
               if ($kzRK == "drop") { drop; }
               if ($kzRK == "return") { return -1; }
           }"##,
    ));
    let sent = ["exit", "drop", "return", "last"];
    for key in sent {
        bus.publish("e.fresh", key, "{}");
    }
    let keys: Vec<String> = seen.wait_for(4).into_iter().map(|each| each.key).collect();
    assert_eq!(keys, sent);
    kamailio.stop();
}

#[test]
fn variables_of_events_are_null_elsewhere() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(shared().request(
        r#"$var(answer) = "";
           if ($kzE == $null) { $var(answer) = $var(answer) + "event "; }
           if ($kzRK == $null) { $var(answer) = $var(answer) + "key "; }
           if ($kzR == $null) { $var(answer) = $var(answer) + "result"; }"#,
    ));
    assert_eq!(kamailio.sip().message("x", b""), "event key result");
    kamailio.stop();
}

#[test]
fn what_is_no_json_object_harms_nobody() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let kamailio = start(shared().routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.bad", "topic", "e.bad", "#"); }
           event_route[kazoo:consumer-event] {
               if ($(kzE{kz.json,Good}) == "yes") { $var(n) = $shtinc(count=>good); }
           }"##,
    ));
    let bad: [&[u8]; 8] = [
        b"",
        b"null",
        b"[]",
        b"1",
        b"not json",
        b"{",
        b"\xff\xfe\0",
        b"\"x\"",
    ];
    for body in bad {
        bus.publish("e.bad", "key", body);
        bus.publish("e.bad", "key", r#"{"Good":"yes"} and garbage behind it"#);
    }
    kamailio.wait_counted("good", bad.len() as u64);
    assert_eq!(kamailio.counted("good"), bad.len() as u64);
    kamailio.wait_counter("received_unreadable", bad.len() as u64);
    assert_eq!(kamailio.counter("unrouted"), 0);
    let log = kamailio.stop();
    assert!(log.contains("under the key key is no JSON object"), "{log}");
}

#[test]
fn an_event_over_the_inbox_is_left_out_and_counted() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let config = shared().number("inbox_size", 65536);
    let kamailio = start(config.routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.over", "topic", "e.over", "#"); }
           event_route[kazoo:consumer-event-known] { $var(n) = $shtinc(count=>known); }"##,
    ));
    // The second is over reply_size_max too, and never read as a whole.
    for bytes in [70_000, 2_000_000] {
        let text = "x".repeat(bytes);
        let body = format!(r#"{{"Event-Category":"known","A":"{text}"}}"#);
        bus.publish("e.over", "key", body);
        bus.publish("e.over", "key", r#"{"Event-Category":"known"}"#);
    }
    kamailio.wait_counted("known", 2);
    kamailio.wait_counter("received_oversized", 2);
    assert_eq!(kamailio.counted("known"), 2);
    kamailio.stop();
}

#[test]
fn large_events_arrive_whole() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let config = shared()
        .before("pv_buffer_size=1100000")
        .private_memory(256);
    let kamailio = start(config.routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.large", "topic", "e.large", "#"); }
           event_route[kazoo:consumer-event] {
               if ($(kzE{kz.json,A}{s.len}) == 1000000) { $var(n) = $shtinc(count=>whole); }
           }"##,
    ));
    let body = format!(r#"{{"A":"{}"}}"#, "x".repeat(1_000_000));
    for _ in 0..10 {
        bus.publish("e.large", "key", body.clone());
    }
    kamailio.wait_counted("whole", 10);
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

fn counting_connections(config: Config) -> Config {
    config.routes(
        r#"event_route[kazoo:consumer-event-connection-open] {
               if ($(kzE{kz.json,zone}) == "local" && $(kzE{kz.json,host}) == "127.0.0.1") {
                   $var(n) = $shtinc(count=>open);
               }
           }
           event_route[kazoo:consumer-event-connection-closed] { $var(n) = $shtinc(count=>closed); }"#,
    )
}

#[test]
fn each_change_of_a_connection_is_told_once() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::shared();
    let gate = Gate::before(rabbit.port());
    let bus = Bus::to(rabbit.port());
    let config = counting_connections(at(&rabbitmq::url(gate.port())));
    let kamailio = config
        .routes(
            r##"event_route[kazoo:mod-init] { kazoo_subscribe("e.gate", "topic", "e.gate", "#"); }
               event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"##,
        )
        .start();
    let counted = || (kamailio.counted("open"), kamailio.counted("closed"));
    assert_eq!(counted(), (0, 0), "no server yet, and none was lost");
    // For publishing there is one, and one for consuming.
    for round in 1..=3 {
        gate.open();
        super::broker::connected(&kamailio);
        wait::until("open ran", || counted().0 >= 2 * round);
        bus.publish("e.gate", "x", "{}");
        kamailio.wait_counted("events", round);
        assert_eq!(counted(), (2 * round, 2 * round - 2));
        gate.shut();
        wait::until("closed ran", || counted().1 >= 2 * round);
        assert_eq!(counted(), (2 * round, 2 * round));
    }
    kamailio.stop();
}
