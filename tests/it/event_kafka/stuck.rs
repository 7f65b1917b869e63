//! A broker that is stuck costs each SIP worker one short wait; a full lane then refuses at once.

use std::time::Duration;

use crate::event_kafka::at;
use crate::kamailio::WORKERS;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::tally::Tally;
use crate::turn;

/// So long that a wait cannot be mistaken for a slow machine.
const WAIT: Duration = Duration::from_secs(2);

/// Messages that one request publishes, of 1 KiB each.
const EACH: u64 = 100;

#[test]
fn a_stuck_broker_costs_each_worker_one_wait() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::alone();
    let kafka = Kafka::own();
    let topic = kafka.topic();
    // Lanes that one request fills.
    let kamailio = at(&kafka, &topic)
        .number("queue_size", 64 * 1024)
        .number("message_size_max", 8192)
        .number("queue_full_wait_ms", 2000)
        .request(
            r#"$var(i) = 0; $var(refused) = 0;
               while ($var(i) < 100) {
                   if (kafka_publish("k1", "$pp:$var(n) $rb", "$pp")) { $var(n) = $var(n) + 1; }
                   else { $var(refused) = $var(refused) + 1; }
                   $var(i) = $var(i) + 1;
               }
               $var(answer) = "" + $var(refused);"#,
        )
        .start()
        .connected();
    let mut sip = kamailio.sip();
    let body = [b'x'; 1024];
    assert_eq!(
        sip.message("before", &body),
        "0",
        "with all at work, nothing is refused"
    );

    kafka.freeze();
    // The waits are counted by the time they take: whole multiples of one wait.
    let mut waits = 0;
    for _ in 0..100 {
        waits += sip.ask("MESSAGE", "x", &body).took.as_millis() / WAIT.as_millis();
    }
    let refused = kamailio.counter("refused_full");
    assert!(refused > 0, "the lanes never were full");
    assert!(
        waits <= u128::from(WORKERS),
        "{waits} waits of {WORKERS} workers"
    );
    eprintln!("stuck: {waits} waits in all, {refused} refused");

    kafka.thaw();
    let accepted = kamailio.counter("accepted");
    assert_eq!(accepted + refused, EACH * 101);
    kamailio.wait_counter("delivered", accepted);
    let accepted = usize::try_from(accepted).unwrap();
    let records = kafka.records(&topic).wait_for(accepted);
    let tally = Tally::over(records.iter().map(|record| record.text()));
    assert_eq!(
        (tally.unique(), tally.duplicates(), tally.out_of_order()),
        (accepted, 0, 0)
    );
    assert_eq!(
        sip.message("after", &body),
        "0",
        "nothing is refused any more"
    );
    kamailio.stop();
}
