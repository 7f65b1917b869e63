//! `nats_publish`: from which routes and processes it works, and what it returns.

use serde_json::json;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

/// Publishes what the request says, and answers with the return code.
const PUBLISH: &str = r#"nats_publish("calls", "from $rU"); $var(answer) = "rc=" + $rc;"#;

#[test]
fn two_arguments_arrive_from_a_request() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "calls");
    let kamailio = Config::at(&nats.url()).request(PUBLISH).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    let message = subscriber.only();
    assert_eq!(text(&message), "from alice");
    assert_eq!(message.reply, None);
    kamailio.stop();
}

#[test]
fn third_argument_is_the_reply_subject() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "calls.*");
    let kamailio = Config::at(&nats.url())
        .request(
            r#"nats_publish("calls.$rU", "who is it", "answers.$rU"); $var(answer) = "rc=" + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("bob", b""), "rc=1");
    let message = subscriber.only();
    assert_eq!(message.subject.as_str(), "calls.bob");
    assert_eq!(message.reply.as_deref(), Some("answers.bob"));
    assert_eq!(text(&message), "who is it");
    kamailio.stop();
}

#[test]
fn arguments_may_be_bare_variables() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "bare.*");
    let kamailio = Config::at(&nats.url())
        .request(
            r#"$var(subject) = "bare." + $rU; $var(payload) = "payload"; $var(reply) = "back";
               nats_publish($var(subject), $var(payload), $var(reply));
               $var(answer) = "rc=" + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("carol", b""), "rc=1");
    let message = subscriber.only();
    assert_eq!(message.subject.as_str(), "bare.carol");
    assert_eq!(message.reply.as_deref(), Some("back"));
    assert_eq!(text(&message), "payload");
    kamailio.stop();
}

#[test]
fn success_is_true_and_refusal_is_false_in_a_condition() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .request(
            r#"if (nats_publish("good", "x")) { $var(a) = "true"; } else { $var(a) = "false"; }
               if (nats_publish("", "x")) { $var(b) = "true"; } else { $var(b) = "false"; }
               $var(answer) = $var(a) + " then " + $var(b);"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "true then false");
    kamailio.stop();
}

#[test]
fn a_timer_publishes() {
    needs!("kamailio", "nats", "rtimer.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "ticks");
    let kamailio = Config::at(&nats.url())
        .ticking()
        .routes(r#"route[TICK] { nats_publish("ticks", "tick $pp"); }"#)
        .start();
    assert!(text(&subscriber.wait_for(2)[1]).starts_with("tick "));
    kamailio.stop();
}

#[test]
fn an_rpc_process_publishes() {
    needs!("kamailio", "nats", "tm.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "outgoing");
    // The request goes to this Kamailio itself, which answers it.
    let kamailio = Config::at(&nats.url())
        .before("loadmodule \"tm.so\"")
        .routes(r#"event_route[tm:local-request] { nats_publish("outgoing", "$rm $rU"); }"#)
        .start();
    let target = format!("sip:dave@127.0.0.1:{}", kamailio.port());
    let headers = "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:dave@127.0.0.1>\r\n";
    kamailio.rpc(
        "tm.t_uac_start",
        &[
            json!("INFO"),
            json!(target),
            json!("."),
            json!("."),
            json!(headers),
        ],
    );
    assert_eq!(text(&subscriber.only()), "INFO dave");
    kamailio.stop();
}

#[test]
fn an_event_worker_publishes() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "out");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes(r#"event_route[nats:in] { nats_publish("out", "again: $natsData"); }"#)
        .start()
        .connected();
    subscriber.publish("in", "hello");
    assert_eq!(text(&subscriber.only()), "again: hello");
    kamailio.stop();
}

#[test]
fn order_is_kept_within_a_process() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (tally, _counting) = crate::tally::Tally::of(&nats.url(), "seq");
    let kamailio = Config::at(&nats.url())
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 1000) {
                   nats_publish("seq", "$pp:$var(n)"); $var(n) = $var(n) + 1; $var(i) = $var(i) + 1;
               }"#,
        )
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..20 {
        sip.message("x", b"");
    }
    crate::wait::until("all arrived", || tally.unique() == 20_000);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    kamailio.stop();
}
