//! What an operator sees: the original's RPCs as structures, and its statistics.

use serde_json::json;

use crate::kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::turn;

#[test]
fn rpcs_and_statistics_count_messages_and_errors() {
    needs!("kamailio", "kafka_module", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let (one, two) = (kafka.topic(), kafka.topic());
    // What is larger than the library allows is accepted, and fails.
    let kamailio = at(&kafka, &one)
        .text_param("topic", &format!("name={two}"))
        .text_param("configuration", "linger.ms=1;message.max.bytes=2000")
        .request(r#"kafka_send("$rU", $rb); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut sip = kamailio.sip();
    for (topic, bytes) in [(&one, 10), (&one, 10), (&one, 4000), (&two, 10)] {
        assert_eq!(sip.message(topic, &vec![b'x'; bytes]), "rc=1");
    }
    kamailio.wait_counter("total_messages", 4);
    assert_eq!(kamailio.counter("total_messages_err"), 1);
    let stats = kamailio.rpc("kafka.stats", &[]);
    assert_eq!(
        (&stats["Total messages"], &stats["Errors"]),
        (&json!(4), &json!(1)),
        "{stats}"
    );
    let of_topic = |topic: &str| kamailio.rpc("kafka.stats_topic", &[json!(topic)]);
    assert_eq!(
        of_topic(&one),
        json!({"Topic": one, "Total messages": 3, "Errors": 1})
    );
    assert_eq!(
        of_topic(&two),
        json!({"Topic": two, "Total messages": 1, "Errors": 0})
    );
    let unknown = kamailio.try_rpc("kafka.stats_topic", &[json!("unknown")]);
    assert!(unknown.unwrap_err().contains("no such topic"));
    kamailio.try_rpc("kafka.stats_topic", &[]).unwrap_err();
    kamailio.stop();
}
