//! Report routes: once for each message, with what became of it.

use crate::event_kafka::{at, away};
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

/// Logs all that a report tells.
const REPORT: &str = r#"
route[REPORT] {
    $var(c) = $shtinc(count=>reports);
    xlog("L_INFO", "report: id=$avp(kafka_id) status=$avp(kafka_status) key=$avp(kafka_key) msg=$avp(kafka_msg) partition=$avp(kafka_partition) offset=$avp(kafka_offset) error=$avp(kafka_error) end\n");
}
"#;

#[test]
fn a_delivered_message_is_reported_with_its_place() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(r#"kafka_publish("k1", "hello", "$rU", "REPORT"); $var(answer) = "rc=" + $rc;"#)
        .routes(REPORT)
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    // No further traffic: the report comes by itself.
    wait::until("the report has run", || kamailio.counted("reports") == 1);
    let record = kafka.records(&topic).only();
    let expected = format!(
        "report: id=k1 status=0 key=alice msg=hello partition={} offset={} error=<null> end",
        record.partition, record.offset
    );
    let log = kamailio.stop();
    assert!(log.contains(&expected), "{expected} in\n{log}");
}

#[test]
fn a_message_that_cannot_be_delivered_is_reported_with_the_error() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let kamailio = away("t.message.timeout.ms=300")
        .request(r#"kafka_publish("k1", "lost", "", "REPORT"); $var(answer) = "rc=" + $rc;"#)
        .routes(REPORT)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    wait::until("the report has run", || kamailio.counted("reports") == 1);
    kamailio.wait_counter("rejected", 1);
    let log = kamailio.stop();
    let line = log.lines().find(|line| line.contains("report: ")).unwrap();
    assert!(
        line.contains("id=k1 status=-1 key=<null> msg=lost partition=<null> offset=<null>"),
        "{line}"
    );
    assert!(!line.contains("error=<null>"), "{line}");
}

#[test]
fn each_message_is_reported_once_and_nothing_leaks_into_the_next() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // The numbers of the messages are added up; a variable left over would be seen.
    let kamailio = at(&kafka, &topic)
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 1000) {
                   kafka_publish("k1", "$var(i)", "", "SUM"); $var(i) = $var(i) + 1;
               }"#,
        )
        .routes(
            r#"route[SUM] {
                   if ($avp(mine) != $null) $var(c) = $shtinc(count=>leaked);
                   $avp(mine) = "left";
                   $var(c) = $shtinc(count=>reports);
                   $sht(count=>sum) = $sht(count=>sum) + $(avp(kafka_msg){s.int});
               }"#,
        )
        .start();
    kamailio.sip().message("x", b"");
    wait::until("every report has run", || {
        kamailio.counted("reports") == 1000
    });
    assert_eq!(kamailio.counted("sum"), 499_500);
    assert_eq!(kamailio.counted("leaked"), 0);
    kamailio.wait_counter("reported", 1000);
    assert_eq!(kamailio.counter("reported"), 1000);
    kamailio.stop();
}

#[test]
fn reports_come_also_for_what_a_stop_delivers() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // Kept back by the library for longer than the test takes: only the stop flushes it.
    let socket = format!("[k1]{}/{topic}?g.linger.ms=60000", kafka.bootstrap());
    let kamailio = crate::kamailio::Config::of("event_kafka")
        .text_param("broker_id", &socket)
        .request(r#"kafka_publish("k1", "last", "", "REPORT"); $var(answer) = "rc=" + $rc;"#)
        .routes(REPORT)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    assert_eq!(kamailio.counted("reports"), 0);
    let log = kamailio.stop();
    assert!(log.contains("report: id=k1 status=0"), "{log}");
    assert_eq!(kafka.records(&topic).only().text(), "last");
}
