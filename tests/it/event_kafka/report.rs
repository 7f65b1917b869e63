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
fn what_a_route_does_to_the_variables_is_gone_in_the_next() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    // The key is the message, or none: so each report shows whether its variables are its own.
    let kamailio = at(&kafka, &topic)
        .before("loadmodule \"tm.so\"")
        .request(
            r#"$var(i) = 0; $var(long) = "long";
               while ($var(i) < 1000) {
                   $var(long) = $var(long) + "er";
                   if ($var(i) mod 100 == 0) $var(long) = "";
                   $var(msg) = "" + $var(i) + ":" + $var(long);
                   if ($var(i) mod 7 == 0) kafka_publish("k1", "$var(msg)", "", "CHECK");
                   else kafka_publish("k1", "$var(msg)", "$var(msg)", "CHECK");
                   $var(i) = $var(i) + 1;
               }"#,
        )
        .routes(
            r#"route[CHECK] {
                   $var(i) = $(avp(kafka_msg){s.select,0,:}{s.int});
                   if ($(avp(kafka_msg)[1]) != $null || $avp(kafka_status) != 0 || $avp(kafka_offset) == $null)
                       $var(c) = $shtinc(count=>wrong);
                   if ($var(i) mod 7 == 0 && $avp(kafka_key) != $null) $var(c) = $shtinc(count=>wrong);
                   if ($var(i) mod 7 != 0 && $avp(kafka_key) != $avp(kafka_msg)) $var(c) = $shtinc(count=>wrong);
                   $var(c) = $shtinc(count=>reports);
                   switch ($var(i) mod 5) {
                       case 0: $(avp(kafka_msg)[*]) = $null; $avp(kafka_msg) = "x"; break;
                       case 1: $avp(kafka_key) = $null; $avp(kafka_other) = "in its place"; break;
                       case 2: $avp(kafka_msg) = "in front"; $avp(kafka_offset) = "a text"; break;
                       case 3: $(avp(kafka_offset)[*]) = 5; $(avp(kafka_status)[*]) = "a text"; break;
                       # The transaction takes them over.
                       case 4: if (t_newtran()) { $var(c) = $shtinc(count=>transactions); t_release(); } break;
                   }
               }"#,
        )
        .start();
    kamailio.sip().message("x", b"");
    wait::until("every report has run", || {
        kamailio.counted("reports") == 1000
    });
    assert_eq!(kamailio.counted("wrong"), 0);
    // tm takes those that are made up for one request that is repeated.
    assert!(kamailio.counted("transactions") > 0);
    let log = kamailio.log();
    assert!(!log.contains("already in process"), "{log}");
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
