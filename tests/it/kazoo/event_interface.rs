//! Events of the event interface (event_kafka) that go to an exchange.

use super::broker::{self, connected};
use super::bus::Bus;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

#[test]
fn an_event_goes_to_an_exchange() {
    needs!("kamailio", "kazoo", "event_kafka", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("f.events", "topic", "#");
    let kamailio = broker::shared()
        .after(
            "loadmodule \"event_kafka.so\"\n\
             modparam(\"event_kafka\", \"event_subscription\", \"E_TEST kazoo:f.events/pike.blocked\")",
        )
        .request(
            r#"$avp(n) = "ip"; $avp(v) = "192.0.2.1"; raise_event("E_TEST", $avp(n), $avp(v));
               $var(answer) = "" + $rc;"#,
        )
        .start();
    connected(&kamailio);
    assert_eq!(kamailio.sip().message("x", b""), "1");
    let message = seen.only();
    assert_eq!(message.key, "pike.blocked");
    let sent = message.json();
    assert_eq!(
        (&sent["jsonrpc"], &sent["method"]),
        (&"2.0".into(), &"E_TEST".into())
    );
    assert_eq!(sent["params"]["ip"], "192.0.2.1");
    // What kazoo_publish adds to every message.
    assert_eq!(sent["App-Name"], "kamailio");
    kamailio.stop();
}
