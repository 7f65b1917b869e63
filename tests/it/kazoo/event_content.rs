//! What a route sees of an event, whatever was sent, and the events of connections.

use super::broker::{at, shared, start};
use super::bus::Bus;
use crate::gate::Gate;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::rabbitmq::{self, Rabbit};
use crate::{turn, wait};

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
