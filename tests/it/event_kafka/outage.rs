//! Brokers away for long or killed: what does not fit is refused, and what was accepted arrives.

use crate::event_kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::sipp::Sipp;
use crate::tally::Tally;
use crate::{turn, wait};

/// Publishes one message for each that `message.xml` sends; where a publish is refused, sipp's call fails.
const PACED: &str = r#"if (!kafka_publish("k1", "$pp:$var(n)", "$pp")) {
    sl_send_reply("503", "Refused"); exit;
}
$var(n) = $var(n) + 1;"#;

#[test]
fn a_full_queue_refuses_at_once_and_goes_on_later() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let mut kafka = Kafka::away();
    let topic = Kafka::name();
    let kamailio = at(&kafka, &topic)
        .before("children=1")
        .number("queue_size", 65_536)
        .number("message_size_max", 1024)
        .request(
            r#"$var(i) = 0; $var(n) = 0;
               while ($var(i) < 2000) {
                   if (kafka_publish("k1", $rb)) $var(n) = $var(n) + 1;
                   $var(i) = $var(i) + 1;
               }
               $var(answer) = "" + $var(n);"#,
        )
        .start();
    let mut sip = kamailio.sip();
    let accepted: usize = sip.message("x", &[b'x'; 200]).parse().unwrap();
    assert!((100..2000).contains(&accepted), "{accepted}");
    wait::until("what is refused is counted", || {
        kamailio.counter("refused_full") == 2000 - accepted as u64
    });
    kafka.start_now();
    kafka.create(&topic);
    kamailio.wait_counter("delivered", accepted as u64);
    assert_eq!(kafka.records(&topic).wait_for(accepted).len(), accepted);
    let log = kamailio.stop();
    assert_eq!(log.matches("refusing messages").count(), 1, "{log}");
}

#[test]
fn a_broker_killed_and_started_again_loses_nothing() {
    needs!("kamailio", "event_kafka", "tansu", "sipp");
    let _turn = turn::alone();
    let mut kafka = Kafka::durable();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic).request(PACED).start();
    let load = Sipp::start("message.xml", kamailio.port(), 1000, 6000);
    for accepted in [1500, 3000, 4500] {
        kamailio.wait_counter("accepted", accepted);
        kafka.kill();
        wait::until("the loss is told", || {
            kamailio.connector()["state"] != "connected"
        });
        kafka.start_now();
    }
    load.succeed();
    let accepted = kamailio.counter("accepted");
    assert!(accepted >= 6000);
    kamailio.wait_counter("delivered", accepted);
    once_and_in_order(&kafka, &topic, accepted);
    kamailio.stop();
}

/// Idempotent: what was sent again is there once, and where it belongs.
fn once_and_in_order(kafka: &Kafka, topic: &str, accepted: u64) {
    let accepted = usize::try_from(accepted).unwrap();
    let records = kafka.records(topic).wait_for(accepted);
    let tally = Tally::over(records.iter().map(|record| record.text()));
    assert_eq!(
        (tally.unique(), tally.duplicates(), tally.out_of_order()),
        (accepted, 0, 0)
    );
}
