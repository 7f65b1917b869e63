//! A stop while a delivery report is waited for.

use crate::event_kafka::away;
use crate::require::needs;
use crate::turn;

#[test]
fn a_report_that_never_comes_does_not_delay_the_stop() {
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
