//! Brokers away for long: what does not fit is refused, and what was accepted arrives.

use crate::event_kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

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
