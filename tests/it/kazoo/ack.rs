//! Acknowledgements: on receipt, or after the route, and what then happens when somebody dies.

use rustix::process::Signal;

use super::broker::{at, start};
use super::bus::Bus;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{process, turn, wait};

/// Subscribes to a queue that is there already. The route counts what it handled, and sleeps until
/// the test says otherwise where `sleep` is set.
fn consuming(config: Config, queue: &str, fields: &str) -> Config {
    config.routes(&format!(
        r#"event_route[kazoo:mod-init] {{
               kazoo_subscribe("{{'exchange':'{queue}.x','exchange-def':{{'type':'topic','durable':1}},
                   'queue':'{queue}','queue-def':{{'passive':1}},'routing':'#',{fields}}}");
           }}
           event_route[kazoo:consumer-event] {{
               if ($(kzE{{kz.json,Event-Category}}) == "connection") {{ exit; }}
               $var(n) = $shtinc(count=>begun);
               while ($sht(count=>awake) == 0) {{ usleep("5000"); }}
               $var(n) = $shtinc(count=>handled);
           }}"#
    ))
}

/// A queue that keeps `count` messages.
fn filled(rabbit: &Rabbit, queue: &str, count: usize) -> Bus {
    let bus = Bus::to(rabbit.port());
    bus.keep(&format!("{queue}.x"), queue);
    for number in 0..count {
        bus.publish(&format!("{queue}.x"), "k", format!(r#"{{"N":{number}}}"#));
    }
    wait::until("all are kept", || {
        bus.waiting(queue)
            .is_some_and(|all| all.0 as usize == count)
    });
    bus
}

/// What the server has of a queue: ready to be sent, and sent but not acknowledged.
fn standing(rabbit: &Rabbit, queue: &str) -> (u64, u64) {
    let columns = ["name", "messages_ready", "messages_unacknowledged"];
    let text = rabbit.control(&[&["list_queues"], &columns[..]].concat());
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{queue}\t")));
    let fields: Vec<u64> = line
        .unwrap_or_else(|| panic!("no {queue} in {text}"))
        .split('\t')
        .skip(1)
        .map(|field| field.parse().unwrap())
        .collect();
    (fields[0], fields[1])
}

const WAIT: &str = "'no_ack':0,'wait_for_consumer_ack':1";

#[test]
fn what_is_not_handled_is_not_acknowledged() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let _bus = filled(&rabbit, "ack.wait", 100);
    let config = at(&rabbit.url())
        .number("amqp_consumer_workers", 2)
        .number("prefetch", 10);
    let kamailio = start(consuming(config, "ack.wait", WAIT));
    // Asleep from the first event on.
    kamailio.wait_counted("begun", 2);
    // Each worker has its share, and no more is taken than that.
    wait::until("the prefetch is used up", || {
        standing(&rabbit, "ack.wait") == (80, 20)
    });
    assert_eq!(kamailio.counter("acked"), 0);
    kamailio.set("awake", 1);
    kamailio.wait_counted("handled", 100);
    wait::until("all are acknowledged", || {
        standing(&rabbit, "ack.wait") == (0, 0)
    });
    assert_eq!(kamailio.counted("begun"), 100);
    kamailio.wait_counter("acked", 100);
    assert_eq!(kamailio.counter("redelivered"), 0);
    kamailio.stop();
}

#[test]
fn without_waiting_all_is_acknowledged_at_once() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let _bus = filled(&rabbit, "ack.soon", 100);
    let config = at(&rabbit.url()).number("prefetch", 10);
    let kamailio = start(consuming(
        config,
        "ack.soon",
        "'no_ack':0,'wait_for_consumer_ack':0",
    ));
    wait::until("all are acknowledged", || {
        standing(&rabbit, "ack.soon") == (0, 0)
    });
    assert_eq!(kamailio.counted("handled"), 0);
    kamailio.set("awake", 1);
    kamailio.wait_counted("handled", 100);
    kamailio.stop();
}

#[test]
fn an_engine_that_dies_leaves_nothing_unhandled() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = filled(&rabbit, "ack.engine", 50);
    let config = at(&rabbit.url())
        .number("amqp_consumer_workers", 2)
        .number("prefetch", 5);
    let kamailio = start(consuming(config, "ack.engine", WAIT));
    kamailio.wait_counted("begun", 2);
    kamailio.kill_engine();
    kamailio.set("awake", 1);
    wait::until("all are acknowledged", || {
        bus.waiting("ack.engine").is_some_and(|all| all.0 == 0) && kamailio.counted("handled") >= 50
    });
    wait::until("none is on its way", || {
        standing(&rabbit, "ack.engine") == (0, 0)
    });
    // What was handled but not acknowledged comes again, and nothing else does.
    let handled = kamailio.counted("handled");
    assert!((50..=60).contains(&handled), "{handled}");
    kamailio.wait_counter("redelivered", handled - 50);
    kamailio.stop();
}

#[test]
fn a_kamailio_that_dies_leaves_all_that_it_did_not_handle() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = filled(&rabbit, "ack.killed", 50);
    let config = at(&rabbit.url()).number("amqp_consumer_workers", 2);
    let kamailio = start(consuming(config, "ack.killed", WAIT));
    kamailio.wait_counted("begun", 2);
    for pid in kamailio.server.family().members() {
        process::send(pid, Signal::KILL);
    }
    drop(kamailio);
    let left = bus.consume("ack.killed");
    let mut numbers: Vec<u64> = left
        .wait_for(50)
        .iter()
        .map(|message| message.json()["N"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<u64>>());
    assert!(left.messages().iter().any(|message| message.redelivered));
}

#[test]
fn a_stop_gives_back_what_was_not_handled() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = filled(&rabbit, "ack.stop", 500);
    let handled = bus.listen("ack.stop.seen", "topic", "#");
    let kamailio = start(at(&rabbit.url()).number("amqp_consumer_workers", 2).routes(
        r#"event_route[kazoo:mod-init] {
               kazoo_subscribe("{'exchange':'ack.stop.x','exchange-def':{'type':'topic','durable':1},
                   'queue':'ack.stop','queue-def':{'passive':1},'routing':'#',
                   'no_ack':0,'wait_for_consumer_ack':1}");
           }
           event_route[kazoo:consumer-event-connection] { exit; }
           event_route[kazoo:consumer-event] {
               kazoo_publish("ack.stop.seen", "k", "$kzE"); usleep("2000");
           }"#,
    ));
    handled.wait_for(20);
    kamailio.stop();
    let left = bus.consume("ack.stop");
    let numbers = || {
        let all = [handled.messages(), left.messages()].concat();
        let mut numbers: Vec<u64> = all
            .iter()
            .filter_map(|each| each.json()["N"].as_u64())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    // Each was handled, or is still there.
    wait::until("all are found", || numbers().len() == 500);
    assert!(left.count() > 0, "the stop found nothing to give back");
}
