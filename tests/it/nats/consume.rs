//! Consuming: what an event carries, and what its route may do.

use async_nats::HeaderMap;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{turn, wait};

#[test]
fn an_event_carries_subject_reply_headers_and_data() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "meta.>:group")
        .routes(
            r#"event_route[nats:meta-all] {
                   $var(missing) = "set";
                   if ($natsHeader(Missing) == $null) { $var(missing) = "null"; }
                   $var(reply) = "none";
                   if ($natsReply != $null) { $var(reply) = $natsReply; }
                   nats_publish("seen", "$natsSubject|$var(reply)|$natsHeader(Trace-Id)|$var(missing)|$natsData");
               }"#,
        )
        .start()
        .connected();
    let mut headers = HeaderMap::new();
    headers.insert("Trace-Id", "abc: 1");
    headers.insert("Other", "x");
    seen.publish_full("meta.a.b", "answers.here", headers, b"body");
    assert_eq!(
        text(&seen.wait_for(1)[0]),
        "meta.a.b|answers.here|abc: 1|null|body"
    );
    // What one message carried is gone with the next.
    seen.publish("meta.c", "plain");
    let second = text(&seen.wait_for(2)[1]);
    assert!(second.starts_with("meta.c|none|"), "{second}");
    assert!(
        second.ends_with("|null|plain") && !second.contains("abc"),
        "{second}"
    );
    kamailio.stop();
}

#[test]
fn a_request_is_answered_through_its_reply_subject() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "time:group")
        .routes(r#"event_route[nats:time] { nats_publish("$natsReply", "you said $natsData"); }"#)
        .start()
        .connected();
    assert_eq!(client.request("time", "hello"), "you said hello");
    kamailio.stop();
}

#[test]
fn event_variables_are_null_outside_an_event() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .request(
            r#"$var(answer) = "";
               if ($natsData == $null) { $var(answer) = $var(answer) + "data "; }
               if ($natsSubject == $null) { $var(answer) = $var(answer) + "subject "; }
               if ($natsReply == $null) { $var(answer) = $var(answer) + "reply "; }
               if ($natsHeader(X) == $null) { $var(answer) = $var(answer) + "header"; }"#,
        )
        .start();
    assert_eq!(
        kamailio.sip().message("x", b""),
        "data subject reply header"
    );
    kamailio.stop();
}

#[test]
fn binary_and_large_payloads_reach_the_route_unchanged() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "back");
    let kamailio = Config::at(&nats.url())
        .private_memory(32)
        .nats("subject_queue_group", "there:group")
        .routes(r#"event_route[nats:there] { nats_publish("back", "$natsData"); }"#)
        .start()
        .connected();
    let bytes: Vec<u8> = (0..=255).collect();
    let payloads = [
        Vec::new(),
        bytes.clone(),
        bytes.repeat(256),
        bytes.repeat(4096),
    ];
    for payload in &payloads {
        seen.publish("there", payload.clone());
    }
    let arrived = seen.wait_for(payloads.len());
    for (message, payload) in arrived.iter().zip(&payloads) {
        assert_eq!(message.payload.len(), payload.len());
        assert!(
            message.payload == *payload,
            "a payload of {} bytes was changed",
            payload.len()
        );
    }
    kamailio.stop();
}

#[test]
fn an_event_begins_afresh_however_the_one_before_ended() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes(
            r#"event_route[nats:in] {
                   if ($avp(left) != $null) { nats_publish("seen", "left: $avp(left)"); }
                   $avp(left) = $natsData;
                   nats_publish("seen", "$natsData");
                   if ($natsData == "exit") { exit; }
                   if ($natsData == "drop") { drop; }
                   if ($natsData == "return") { return -1; }
               }"#,
        )
        .start()
        .connected();
    let sent = ["exit", "drop", "return", "last"];
    for text in sent {
        seen.publish("in", text);
    }
    let texts: Vec<String> = seen.wait_for(sent.len()).iter().map(text).collect();
    assert_eq!(texts, sent);
    kamailio.stop();
}

#[test]
fn core_settings_can_be_read_in_an_event_route() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "ask:group")
        .routes(r#"event_route[nats:ask] { nats_publish("seen", "$sel(cfg_get.core.debug)"); }"#)
        .start()
        .connected();
    seen.publish("ask", "x");
    assert_eq!(text(&seen.only()), "2");
    kamailio.stop();
}

#[test]
fn a_small_inbox_holds_the_sender_up_and_drops_nothing() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = Config::at(&nats.url())
        .number("inbox_size", 65_536)
        .number("message_size_max", 16_384)
        .nats("subject_queue_group", "flood:group")
        .routes("event_route[nats:flood] { $var(n) = $shtinc(count=>flood); }")
        .start()
        .connected();
    for _ in 0..5_000 {
        client.publish("flood", vec![b'x'; 1024]);
    }
    kamailio.wait_counter("consumed", 5_000);
    assert_eq!(kamailio.counted("flood"), 5_000);
    kamailio.stop();
}

#[test]
fn a_sleeping_route_holds_up_its_own_worker_only() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    // "Sleeps" until the test says otherwise.
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "slow:group")
        .nats("subject_queue_group", "quick:group")
        .routes(
            r#"event_route[nats:slow] {
                   $var(i) = $shtinc(count=>asleep);
                   while ($sht(count=>wake) == 0) { usleep("5000"); }
                   nats_publish("seen", "slow");
               }
               event_route[nats:quick] { nats_publish("seen", "quick"); }"#,
        )
        .request(r#"nats_publish("other", "x"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    seen.publish("slow", "x");
    seen.publish("slow", "x");
    wait::until("the route sleeps", || kamailio.counted("asleep") == 1);
    assert!(kamailio.counter("inboxes_used") > 0);
    assert_eq!(kamailio.counter("lanes_used"), 0);
    for _ in 0..100 {
        seen.publish("quick", "x");
    }
    seen.wait_for(100);
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    assert!(seen.texts().iter().all(|text| text == "quick"));
    kamailio.set("wake", 1);
    let texts: Vec<String> = seen.wait_for(102).iter().map(text).collect();
    assert_eq!(texts.iter().filter(|text| *text == "slow").count(), 2);
    wait::until("no event waits any more", || {
        kamailio.counter("inboxes_used") == 0
    });
    kamailio.stop();
}
