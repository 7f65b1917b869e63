//! Events run event routes, in the process that raises them.

use serde_json::json;

use super::{on, subscribed};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::text;
use crate::turn;

#[test]
fn the_route_sees_the_event_and_the_message() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .request(
            r#"$avp(n) = "ip"; $avp(v) = "192.0.2.1"; $avp(n) = "hits"; $avp(v) = 17;
               $var(seen) = "nothing";
               raise_event("E_TEST", $avp(n), $avp(v));
               $var(answer) = "" + $rc + " " + $var(seen) + $_s( after: $event(name));"#,
        )
        .routes(
            r#"event_route[event:E_TEST] {
                   $var(hits) = $event(hits) + 1;
                   $var(seen) = $_s($event(name) $event(ip) $var(hits) $event(1) $event(3) $rU);
                   exit;
               }"#,
        )
        .start();
    assert_eq!(
        kamailio.sip().message("alice", b""),
        "1 E_TEST 192.0.2.1 18 17 <null> alice after: <null>"
    );
    kamailio.stop();
}

#[test]
fn by_rpc_it_runs_on_no_ones_message() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .routes(r#"event_route[event:E_TEST] { $sht(count=>got) = $event(n); $avp(left) = 1; }"#)
        .start();
    for odd in [json!({"n": 5}), json!(["n"]), json!(true), json!(null)] {
        for params in [
            &[json!("E_TEST"), odd.clone()][..],
            &[json!("E_TEST"), json!("a"), odd.clone(), json!("b")],
        ] {
            let refused = kamailio.try_rpc("raise_event", params);
            assert!(refused.unwrap_err().contains("400"), "{params:?}");
        }
    }
    kamailio.rpc("raise_event", &[json!("E_TEST"), json!(r#"{"n": 5}"#)]);
    assert_eq!(kamailio.counted("got"), 5);
    kamailio.stop();
}

#[test]
fn an_event_with_a_colon_may_have_a_route_of_its_name() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = on(&nats)
        .request(r#"raise_event("acme:done"); $var(answer) = $var(seen);"#)
        .routes(r#"event_route[acme:done] { $var(seen) = "seen " + $event(name); }"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "seen acme:done");
    kamailio.stop();
}

#[test]
fn nested_events_are_bounded_and_keep_their_parameters() {
    needs!("kamailio", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config
        .request(
            r#"$var(depth) = 0; $var(sum) = 0; raise_event("E_TEST", "$var(depth)");
               $var(answer) = "" + $rc + " depth " + $var(depth) + " sum " + $var(sum);"#,
        )
        .routes(
            r#"event_route[event:E_TEST] {
                   $var(depth) = $var(depth) + 1;
                   raise_event("E_TEST", "$var(depth)");
                   $var(sum) = $var(sum) + $event(1);
               }"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "1 depth 10 sum 45");
    assert_eq!(subscriber.wait_for(10).len(), 10);
    assert!(text(&subscriber.messages()[9]).ends_with("[9]}"));
    assert!(kamailio.stop().contains("ten levels deep"));
}
