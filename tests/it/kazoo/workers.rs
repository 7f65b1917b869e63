//! Which worker gets what: all of one key in order, the rest whoever has nothing to do.

use super::broker::{shared, start};
use super::bus::Bus;
use super::subscribe::observer;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

#[test]
fn a_consistent_worker_gets_all_of_one_key() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let (bus, seen) = observer("s.hash.seen");
    let kamailio = start(
        shared().number("amqp_consumer_workers", 3).routes(
            r#"event_route[kazoo:mod-init] {
                   kazoo_subscribe("{'exchange':'s.hash','type':'topic','queue':'s.hash.1','routing':'by.key.#','consistent-worker':1}");
                   kazoo_subscribe("{'exchange':'s.hash','type':'topic','queue':'s.hash.2','routing':'by.field','consistent-worker':true,'consistent-worker-key':'Call-ID'}");
               }
               event_route[kazoo:consumer-event] {
                   if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
                   $var(id) = $(kzE{kz.json,Call-ID});
                   kazoo_publish("s.hash.seen", "$kzRK $var(id)", "{'pid': $pp, 'n': '$(kzE{kz.json,N})'}");
               }"#,
        ),
    );
    for number in 0..30 {
        for which in 0..20 {
            bus.publish(
                "s.hash",
                &format!("by.key.{which}"),
                format!(r#"{{"N":"{number}"}}"#),
            );
            let body = format!(r#"{{"Call-ID":"c{which}","N":"{number}"}}"#);
            bus.publish("s.hash", "by.field", body);
        }
    }
    let mut of_key = std::collections::HashMap::new();
    let mut workers = std::collections::HashSet::new();
    for message in seen.wait_for(1200) {
        let told = message.json();
        let (pid, next) = of_key
            .entry(message.key.clone())
            .or_insert((told["pid"].clone(), 0));
        assert_eq!(told["pid"], *pid, "{} went to two workers", message.key);
        assert_eq!(told["n"], next.to_string(), "{} in order", message.key);
        *next += 1;
        workers.insert(told["pid"].to_string());
    }
    assert_eq!(of_key.len(), 40);
    assert_eq!(workers.len(), 3, "every worker has its share");
    kamailio.stop();
}

#[test]
fn the_others_are_shared_among_the_workers() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    // Each event waits until two workers have one.
    let kamailio = start(shared().number("amqp_consumer_workers", 2).routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("s.share", "topic", "s.share", "#"); }
               event_route[kazoo:consumer-event] {
                   if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
                   $var(n) = $shtinc(count=>here);
                   while ($sht(count=>here) < 2) { usleep("5000"); }
                   $var(n) = $shtinc(count=>done);
               }"##,
    ));
    // Those that come at once may go to one worker; the next one goes to who has nothing to do.
    bus.publish("s.share", "x", "{}");
    kamailio.wait_counted("here", 1);
    bus.publish("s.share", "x", "{}");
    kamailio.wait_counted("done", 2);
    kamailio.stop();
}
