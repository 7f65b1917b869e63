//! Start and stop: nothing is left behind, nothing accepted is lost.

use rustix::process::Signal;

use crate::event_kafka::{at, away};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::tally::Tally;
use crate::{process, turn, wait};

#[test]
fn what_was_accepted_before_the_stop_arrives() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::alone();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // Room for all of them: the stop is to find as many as possible not yet sent.
    let kamailio = at(&kafka, &topic)
        .number("queue_size", 64 * 1024 * 1024)
        .number("drain_timeout_ms", 30_000)
        .request(
            r#"$var(i) = 0; $var(accepted) = 0;
               while ($var(i) < 50000) {
                   if (kafka_publish("k1", "$pp:$var(i)", "$pp")) { $var(accepted) = $var(accepted) + 1; }
                   $var(i) = $var(i) + 1;
               }
               $var(answer) = "" + $var(accepted);"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "50000");
    kamailio.stop();
    let records = kafka.records(&topic).wait_for(50_000);
    let tally = Tally::over(records.iter().map(|record| record.text()));
    assert_eq!(
        (tally.unique(), tally.duplicates(), tally.out_of_order()),
        (50_000, 0, 0)
    );
}

#[test]
fn twenty_restarts_in_a_row_lose_nothing() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    for _ in 0..20 {
        let kamailio = at(&kafka, &topic)
            .request(r#"kafka_publish("k1", "x", "", "REPORT"); $var(answer) = "rc=" + $rc;"#)
            .routes("route[REPORT] { return; }")
            .start();
        assert_eq!(kamailio.sip().message("x", b""), "rc=1");
        kamailio.stop();
    }
    assert_eq!(kafka.records(&topic).wait_for(20).len(), 20);
}

#[test]
fn a_stop_with_the_broker_away_ends_at_the_drain_deadline() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let kamailio = away("g.linger.ms=1")
        .number("drain_timeout_ms", 300)
        .request(r#"kafka_publish("k1", "x", "", "REPORT"); $var(answer) = "rc=" + $rc;"#)
        .routes("route[REPORT] { return; }")
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    kamailio.stop();
}

#[test]
fn a_killed_supervisor_leaves_nothing_behind() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    // The worker for reports outlives a stop until the supervisor says that nothing comes any more;
    // without one, its own time runs out.
    let mut kamailio = away("g.linger.ms=1")
        .number("drain_timeout_ms", 100)
        .start();
    let engine = kamailio.engine().unwrap();
    let supervisor: u32 = process::status(engine, "PPid:").unwrap().parse().unwrap();
    process::send(supervisor, Signal::KILL);
    // Kamailio ends when a child of its dies.
    kamailio.server.wait();
    wait::until("nothing is left", || {
        kamailio.server.family().members().is_empty()
    });
}
