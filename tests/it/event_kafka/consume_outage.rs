//! Consuming from brokers that are killed, and start again with what they have.

use super::consume::{consuming, publish_numbered};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

const KEYS: usize = 8;
const EACH: usize = 100;
const KILLS: usize = 3;

/// Counts the different records, and those of them that did not follow their predecessor of the same key.
const DIFFERENT: &str = r#"{
    $var(number) = $(kafka(msg){s.select,1,:}{s.int});
    if ($sht(seen=>$kafka(msg)) == $null) {
        $sht(seen=>$kafka(msg)) = 1;
        if ($sht(next=>$kafka(key)) == $null) $sht(next=>$kafka(key)) = 0;
        if ($var(number) != $sht(next=>$kafka(key))) $var(c) = $shtinc(count=>disorder);
        $sht(next=>$kafka(key)) = $var(number) + 1;
        $var(c) = $shtinc(count=>different);
    }
}"#;

#[test]
fn brokers_killed_and_started_again_lose_no_record() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    let mut kafka = Kafka::durable();
    let topic = kafka.topic();
    let kamailio = consuming(&kafka, &topic, 2)
        .before(
            "modparam(\"htable\", \"htable\", \"seen=>size=12;\")\n\
             modparam(\"htable\", \"htable\", \"next=>size=6;\")",
        )
        .routes(&format!("event_route[kafka:{topic}] {DIFFERENT}"))
        .start();
    let different = || usize::try_from(kamailio.counted("different")).unwrap();
    for round in 0..KILLS {
        let before = round * EACH * KEYS;
        publish_numbered(&kafka.records(&topic), KEYS, round * EACH, EACH);
        wait::until("some were consumed", || different() > before);
        kafka.kill_idle();
        kafka.start_now();
    }
    let all = KILLS * EACH * KEYS;
    wait::until("all were consumed", || different() >= all);
    assert_eq!((different(), kamailio.counted("disorder")), (all, 0));
    // Brokers that have come back do not know the group's members at first: only what they have taken of the group is
    // sure not to come again.
    let group = format!("{topic}-group");
    wait::until("the brokers have what was handled", || {
        kafka.committed(&group, &topic) == all
    });
    kamailio.stop();
    goes_on_behind(&mut kafka, &topic, KILLS * EACH);
}

/// What a stopped Kamailio had handled is not consumed again after one more kill: the brokers have kept that, too.
fn goes_on_behind(kafka: &mut Kafka, topic: &str, first: usize) {
    kafka.kill_idle();
    kafka.start_now();
    publish_numbered(&kafka.records(topic), KEYS, first, 1);
    let kamailio = consuming(kafka, topic, 1)
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{
                   if ($(kafka(msg){{s.select,1,:}}{{s.int}}) < {first}) $var(c) = $shtinc(count=>again);
               }}"#
        ))
        .start();
    kamailio.wait_counter("consumed", KEYS as u64);
    assert_eq!(kamailio.counted("again"), 0);
    kamailio.stop();
}
