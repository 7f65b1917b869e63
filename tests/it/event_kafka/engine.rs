//! The engine killed while messages flow: nothing accepted is lost, and the order is kept.

use rustix::process::Signal;

use crate::event_kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::tally::Tally;
use crate::{process, turn, wait};

const EACH: usize = 20_000;

#[test]
fn nothing_is_lost_when_the_engine_is_killed() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::alone();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // A refused one is tried again, so that each writer's numbers have no gap of their own.
    let kamailio = at(&kafka, &topic)
        .request(
            r#"$var(n) = 0;
               while ($var(n) < 20000) {
                   if (kafka_publish("k1", "$pp:$var(n)", "$pp", "REPORT")) { $var(n) = $var(n) + 1; }
                   else { usleep("1000"); }
               }
               $var(answer) = "done";"#,
        )
        .routes("route[REPORT] { return; }")
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..2 {
        sip.send("MESSAGE", "x", b"");
    }
    for round in 1..=3 {
        kamailio.wait_counter("accepted", round * EACH as u64 / 2);
        let engine = kamailio.engine().unwrap();
        process::send(engine, Signal::KILL);
        wait::until("another engine runs", || {
            kamailio.engine().is_some_and(|pid| pid != engine)
        });
    }
    kamailio.wait_counter("delivered", 2 * EACH as u64);
    let records = kafka.records(&topic).wait_for(2 * EACH);
    let tally = Tally::over(records.iter().map(|record| record.text()));
    assert_eq!((tally.unique(), tally.writers()), (2 * EACH, 2));
    assert_eq!(tally.out_of_order(), 0);
    eprintln!(
        "three engine kills: {} of {} arrived twice",
        tally.duplicates(),
        2 * EACH
    );
    kamailio.stop();
}
