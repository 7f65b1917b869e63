//! `kafka_publish`: from which routes and processes it works, what it takes, and what it returns.

use serde_json::json;

use crate::event_kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::{turn, wait};

#[test]
fn two_arguments_arrive_from_a_request() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(r#"kafka_publish("k1", "from $rU"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    let record = kafka.records(&topic).only();
    assert_eq!((record.text().as_str(), record.key), ("from alice", None));
    kamailio.stop();
}

#[test]
fn key_report_route_and_headers_may_be_given_or_not() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(
            r#"$var(answer) = "";
               kafka_publish("k1", "1", "key"); $var(answer) = $var(answer) + $rc;
               kafka_publish("k1", "2", "", "REPORT"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "3", "$null", "REPORT"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "4", $avp(none), "REPORT"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "5", "key", ""); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "6", "key", "REPORT", "a=1;b=x=y"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "7", "", "", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .routes("route[REPORT] { $var(c) = $shtinc(count=>reports); }")
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "1 1 1 1 1 1 1");
    let records = kafka.records(&topic).wait_for(7);
    let mut seen: Vec<_> = records
        .iter()
        .map(|record| {
            let key = record.key_text().unwrap_or_default();
            format!("{} {key} {}", record.text(), record.headers)
        })
        .collect();
    // They are spread over partitions.
    seen.sort();
    let expected = [
        "1 key ",
        "2  ",
        "3  ",
        "4  ",
        "5 key ",
        "6 key a=1,b=x=y",
        "7  ",
    ];
    assert_eq!(seen, expected);
    wait::until("every report has run", || kamailio.counted("reports") == 4);
    kamailio.stop();
}

#[test]
fn arguments_may_be_bare_variables() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(
            r#"$var(id) = "k1"; $var(message) = "payload"; $var(key) = "k"; $var(headers) = "h=v";
               $var(report) = "REPORT";
               kafka_publish($var(id), $var(message), $var(key), $var(report), $var(headers));
               $var(answer) = "rc=" + $rc;"#,
        )
        .routes("route[REPORT] { $var(c) = $shtinc(count=>reports); }")
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    let record = kafka.records(&topic).only();
    assert_eq!(record.text(), "payload");
    assert_eq!(record.key_text().as_deref(), Some("k"));
    assert_eq!(record.headers, "h=v");
    wait::until("the report has run", || kamailio.counted("reports") == 1);
    kamailio.stop();
}

#[test]
fn any_bytes_arrive_unchanged() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(r#"kafka_publish("k1", $rb, $rb); kafka_publish("k1", ""); $var(answer) = "rc=" + $rc;"#)
        .start();
    let all: Vec<u8> = (0..=255).cycle().take(4096).collect();
    assert_eq!(kamailio.sip().message("x", &all), "rc=1");
    let records = kafka.records(&topic).wait_for(2);
    let find = |empty: bool| {
        records
            .iter()
            .find(|record| record.payload.is_empty() == empty)
    };
    let full = find(false).unwrap();
    assert!(full.payload == all, "the payload was changed on its way");
    assert!(
        full.key.as_ref() == Some(&all),
        "the key was changed on its way"
    );
    assert_eq!(find(true).unwrap().key, None);
    kamailio.stop();
}

#[test]
fn every_broker_id_has_its_own_topic() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let (one, two) = (kafka.topic(), kafka.topic());
    let second = format!("[k2]{}/{two}?g.linger.ms=1", kafka.bootstrap());
    let kamailio = at(&kafka, &one)
        .text_param("broker_id", &second)
        .request(r#"kafka_publish("$rU", "to $rU"); $var(answer) = "rc=" + $rc;"#)
        .start();
    for id in ["k1", "k2"] {
        assert_eq!(kamailio.sip().message(id, b""), "rc=1");
    }
    assert_eq!(kafka.records(&one).only().text(), "to k1");
    assert_eq!(kafka.records(&two).only().text(), "to k2");
    kamailio.stop();
}

#[test]
fn timers_rpc_processes_and_event_workers_publish() {
    needs!("kamailio", "event_kafka", "kafka", "rtimer.so", "tm.so");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .before("loadmodule \"tm.so\"")
        .ticking()
        .routes(
            r#"route[TICK] { kafka_publish("k1", "timer", "t", "REPORT"); }
               route[REPORT] {
                   if ($avp(kafka_msg) == "timer") kafka_publish("k1", "worker");
               }
               event_route[tm:local-request] { kafka_publish("k1", "rpc"); }"#,
        )
        .start();
    let target = format!("sip:dave@127.0.0.1:{}", kamailio.port());
    let headers = "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:dave@127.0.0.1>\r\n";
    let arguments = ["INFO", &target, ".", ".", headers].map(|text| json!(text));
    kamailio.rpc("tm.t_uac_start", &arguments);
    let mut seen = kafka.records(&topic);
    wait::until("all three have published", || {
        let records = seen.records();
        ["timer", "worker", "rpc"]
            .iter()
            .all(|text| records.iter().any(|record| record.text() == *text))
    });
    kamailio.stop();
}

#[test]
fn order_is_kept_within_a_process() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 1000) {
                   kafka_publish("k1", "$pp:$var(n)", "$pp");
                   $var(n) = $var(n) + 1; $var(i) = $var(i) + 1;
               }"#,
        )
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..10 {
        sip.message("x", b"");
    }
    let records = kafka.records(&topic).wait_for(10_000);
    let tally = crate::tally::Tally::over(records.iter().map(|record| record.text()));
    assert_eq!(tally.unique(), 10_000);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    kamailio.stop();
}
