//! Bad arguments: each is a refusal that a counter tells, never a crash and nothing half sent.

use crate::require::needs;
use crate::turn;

#[test]
fn what_cannot_be_published_is_refused_and_counted() {
    needs!("kamailio", "event_kafka");
    let _turn = turn::light();
    let kamailio = super::away("g.linger.ms=1")
        .request(
            r#"$var(answer) = ""; $var(id) = "k2";
               kafka_publish("$var(id)", "x"); $var(answer) = $var(answer) + $rc;
               kafka_publish($var(id), "x"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("$avp(none)", "x"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish($avp(none), "x"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "x", "", "", "no equals sign"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "x", "", "", "=no name"); $var(answer) = $var(answer) + " " + $rc;
               kafka_publish("k1", "x", "", $var(id)); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "-1 -1 -1 -1 -1 -1 -1 -1");
    assert_eq!(kamailio.counter("refused_invalid"), 8);
    assert_eq!(kamailio.counter("accepted"), 0);
    kamailio.stop();
}
