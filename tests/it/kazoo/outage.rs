//! The server restarted, blocked or in disagreement: what was accepted arrives, and events come again.

use super::broker::{
    at, connected, counter, shared, start, subscriptions, wait_counted, wait_counter,
};
use super::bus::{Bus, Consumer, Message};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::tally::Tally;
use crate::{turn, wait};

/// Counts messages with the field `N`.
fn add(tally: &Tally, message: &Message) {
    tally.add(message.json()["N"].as_str().expect("a number").as_bytes());
}

/// Counts what arrives in a queue that stays.
fn counting(bus: &Bus, queue: &str) -> (Tally, Consumer) {
    let tally = Tally::default();
    let count = tally.clone();
    let channel = bus.each(queue, move |message| add(&count, &message));
    (tally, channel)
}

/// Publishes numbers to `exchange`, one a request, counted per process.
fn numbered(exchange: &str) -> String {
    format!(
        r#"if (kazoo_publish("{exchange}", "k", "{{'N':'$pp:$var(n)'}}")) {{
               $var(n) = $var(n) + 1; $var(answer) = "rc=1";
           }}"#
    )
}

#[test]
fn a_server_without_memory_is_waited_for() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = Bus::to(rabbit.port());
    bus.exchange("out.alarm", "topic");
    bus.queue("out.alarm.q");
    bus.bind("out.alarm.q", "out.alarm", "#");
    let (tally, _channel) = counting(&bus, "out.alarm.q");
    let kamailio = start(at(&rabbit.url()).request(&numbered("out.alarm")));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", b""), "rc=1");
    wait_counter(&kamailio, "confirmed", 1);
    rabbit.memory_alarm(true);
    // The server tells a connection that it is blocked when that publishes.
    assert_eq!(sip.message("x", b""), "rc=1");
    wait::until("the block is told", || {
        let shown = super::broker::connections(&kamailio);
        shown.iter().any(|each| each["state"] == "blocked")
    });
    for _ in 0..200 {
        assert_eq!(sip.message("x", b""), "rc=1");
    }
    assert_eq!(counter(&kamailio, "confirmed"), 1);
    rabbit.memory_alarm(false);
    wait::until("all arrived", || tally.unique() == 202);
    wait_counter(&kamailio, "confirmed", 202);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    kamailio.stop();
}

#[test]
fn a_queue_that_is_deleted_is_made_again() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let kamailio = start(shared().routes(
        r#"event_route[kazoo:mod-init] {
               kazoo_subscribe("{'exchange':'out.del','type':'topic','queue':'out.del.q','routing':'#','auto_delete':0}");
           }
           event_route[kazoo:consumer-event-connection-open] { return; }
           event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"#,
    ));
    for round in 1..=3 {
        bus.publish("out.del", "k", "{}");
        wait_counted(&kamailio, "events", round);
        bus.delete("out.del.q");
        wait::until("the queue is back", || {
            bus.waiting("out.del.q").is_some_and(|all| all.1 == 1)
        });
    }
    kamailio.stop();
    bus.delete("out.del.q");
}

#[test]
fn a_conflicting_declaration_is_told_and_stops_nobody_else() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    bus.exchange("out.conflict", "fanout");
    let kamailio = shared()
        .routes(
            r##"event_route[kazoo:mod-init] {
                   kazoo_subscribe("out.conflict", "topic", "out.conflict.q", "#");
                   kazoo_subscribe("{'exchange':'out.nowhere','exchange-def':{'type':'topic','passive':1},'queue':'out.nowhere.q','routing':'#'}");
                   kazoo_subscribe("out.fine", "topic", "out.fine.q", "#");
               }
               event_route[kazoo:consumer-event-connection-open] { return; }
               event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"##,
        )
        .request(r#"kazoo_publish("out.fine", "k", "{}"); $var(answer) = "rc=" + $rc;"#)
        .start();
    wait::until("the third one is made", || {
        subscriptions(&kamailio)
            .iter()
            .any(|each| each["exchange"] == "out.fine" && each["state"] == "open")
    });
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    wait_counted(&kamailio, "events", 1);
    // What was missing comes, and what was in the way goes.
    bus.exchange("out.nowhere", "topic");
    bus.delete_exchange("out.conflict");
    connected(&kamailio);
    bus.publish("out.nowhere", "k", "{}");
    bus.publish("out.conflict", "k", "{}");
    wait_counted(&kamailio, "events", 3);
    let log = kamailio.stop();
    let told = |name: &str| {
        let errors = log.lines().filter(|line| line.contains("ERROR"));
        errors.filter(|line| line.contains(name)).count()
    };
    assert!(told("out.conflict") >= 1, "{log}");
    assert!(told("out.nowhere") >= 1, "{log}");
}

#[test]
fn consuming_goes_on_after_a_restart() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let mut rabbit = Rabbit::start();
    let kamailio = start(at(&rabbit.url()).routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("out.again", "topic", "out.again.q", "#"); }
           event_route[kazoo:consumer-event-connection-open] { $var(n) = $shtinc(count=>open); }
           event_route[kazoo:consumer-event-connection-closed] { $var(n) = $shtinc(count=>closed); }
           event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"##,
    ));
    // Two connections each time: one publishes, one consumes.
    for round in 1..=2 {
        rabbit.kill();
        wait_counted(&kamailio, "closed", 2 * round);
        rabbit.start_again();
        wait_counted(&kamailio, "open", 2 * round + 2);
        connected(&kamailio);
        Bus::to(rabbit.port()).publish("out.again", "k", "{}");
        wait_counted(&kamailio, "events", round);
    }
    assert_eq!(
        (kamailio.counted("open"), kamailio.counted("closed")),
        (6, 4)
    );
    kamailio.stop();
}
