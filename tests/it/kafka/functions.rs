//! `kafka_send` and `kafka_send_key`: what arrives, and what is refused.

use crate::kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::turn;

#[test]
fn messages_arrive_with_and_without_a_key() {
    needs!("kamailio", "kafka_module", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(&format!(
            r#"$var(topic) = "{topic}";
               kafka_send("{topic}", "from $rU"); $var(answer) = "" + $rc;
               kafka_send($var(topic), $rU); $var(answer) = $var(answer) + " " + $rc;
               kafka_send_key("{topic}", "keyed", "$ci"); $var(answer) = $var(answer) + " " + $rc;
               kafka_send_key($var(topic), $rb, $rU); $var(answer) = $var(answer) + " " + $rc;"#
        ))
        .start();
    assert_eq!(kamailio.sip().message("alice", b"a\0body"), "1 1 1 1");
    let mut records = kafka.records(&topic);
    let mut texts: Vec<_> = records
        .wait_for(4)
        .iter()
        .map(|record| record.text())
        .collect();
    texts.sort();
    assert_eq!(texts, ["a\0body", "alice", "from alice", "keyed"]);
    let records = records.wait_for(4);
    let key = |text: &str| {
        records
            .iter()
            .find(|record| record.text() == text)
            .unwrap()
            .key_text()
    };
    assert_eq!(key("from alice"), None);
    assert!(key("keyed").unwrap().contains('@'));
    assert_eq!(key("a\0body").as_deref(), Some("alice"));
    kamailio.stop();
}

#[test]
fn what_cannot_be_sent_is_refused() {
    needs!("kamailio", "kafka_module", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .request(&format!(
            r#"kafka_send("undeclared", "x"); $var(answer) = "" + $rc;
               kafka_send("", "x"); $var(answer) = $var(answer) + " " + $rc;
               kafka_send("{topic}", ""); $var(answer) = $var(answer) + " " + $rc;
               kafka_send("{topic}", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;
               kafka_send_key("{topic}", "x", ""); $var(answer) = $var(answer) + " " + $rc;
               kafka_send_key("{topic}", "x", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;
               kafka_send("{topic}", "good"); $var(answer) = $var(answer) + " " + $rc;"#
        ))
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "-1 -1 -1 -1 -1 -1 1");
    assert_eq!(kafka.records(&topic).only().text(), "good");
    assert_eq!(kamailio.counter("refused"), 6);
    kamailio.stop();
}
