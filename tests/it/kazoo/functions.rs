//! `kazoo_publish`: what it sends, from which routes it works, and what it returns.

use serde_json::json;

use super::broker::{self, connected, shared, start};
use super::bus::{Bus, Message};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

/// Publishes the body with the user part as routing key.
fn publishing(exchange: &str) -> String {
    format!(r#"kazoo_publish("{exchange}", "$rU", "$rb"); $var(answer) = "rc=" + $rc;"#)
}

fn bus() -> Bus {
    Bus::to(Rabbit::shared().port())
}

/// Whether it is a random UUID in lower case.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts[2].starts_with('4')
        && text
            .chars()
            .all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'))
}

#[test]
fn a_publish_adds_the_common_properties() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = bus();
    let seen = bus.listen("f.common", "topic", "#");
    let kamailio = start(shared().request(&publishing("f.common")));
    let mut sip = kamailio.sip();
    let body = br#"{"Event-Category": "test", "n":1.50, "path":"a/b"}"#;
    assert_eq!(sip.message("some.key", body), "rc=1");
    let message = seen.only();
    assert_eq!(message.key, "some.key");
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
    assert!(message.headers.is_empty(), "{message:?}");
    let text = message.text();
    let begin = r#"{ "Event-Category": "test", "n": 1.50, "path": "a\/b", "App-Name": "kamailio", "App-Version": ""#;
    assert!(text.starts_with(begin) && text.ends_with(" }"), "{text}");
    let sent = message.json();
    let node = sent["Node"].as_str().unwrap();
    let host = node.strip_prefix("kamailio@").unwrap();
    assert!(is_uuid(sent["Msg-ID"].as_str().unwrap()), "{text}");
    let server = sent["Server-ID"].as_str().unwrap();
    let of_channel = format!("kamailio@{host}-<1>-targeted-");
    assert!(server.starts_with(&of_channel), "{text}");
    // A message of its own, also with the same body.
    assert_eq!(sip.message("some.key", body), "rc=1");
    assert_ne!(seen.wait_for(2)[1].json()["Msg-ID"], sent["Msg-ID"]);
    kamailio.wait_counter("confirmed", 2);
    kamailio.stop();
}

#[test]
fn properties_that_are_there_are_kept() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.kept", "topic", "#");
    let config = shared().text_param("app_name", "proxy");
    let kamailio = start(config.request(&publishing("f.kept")));
    let mut sip = kamailio.sip();
    let given = json!({"Msg-ID": "mine", "Server-ID": "my.server", "Node": "n", "App-Name": "a",
        "App-Version": "v"});
    assert_eq!(sip.message("key", given.to_string().as_bytes()), "rc=1");
    assert_eq!(seen.wait_for(1)[0].json(), given);
    assert_eq!(sip.message("key", br#"{"Server-ID": ""}"#), "rc=1");
    let sent = seen.wait_for(2)[1].json();
    assert_eq!(
        (&sent["Server-ID"], &sent["App-Name"]),
        (&json!(""), &json!("proxy"))
    );
    kamailio.stop();
}

/// As they are given, and as they arrive.
type Headers<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);

#[test]
fn headers_are_sent() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.headers", "topic", "#");
    let kamailio = start(shared().request(
        r#"kazoo_publish("f.headers", "key", "{'a': 1}", "$rb"); $var(answer) = "rc=" + $rc;"#,
    ));
    let mut sip = kamailio.sip();
    let vectors: [Headers<'_>; 5] = [
        (b"k=v", &[("k", "v")]),
        (b"k1=v1;k2=v 2", &[("k1", "v1"), ("k2", "v 2")]),
        (b"2048", &[]),
        (b"good=1;bad;empty=;last=2", &[("good", "1"), ("last", "2")]),
        (b"k=v=w", &[("k", "v")]),
    ];
    for (count, (text, expected)) in vectors.into_iter().enumerate() {
        assert_eq!(sip.message("key", text), "rc=1");
        let message = seen.wait_for(count + 1).remove(count);
        let headers: Vec<(&str, &str)> = message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(headers, expected, "{message:?}");
        assert_eq!(message.json()["a"], 1);
    }
    kamailio.stop();
}

#[test]
fn a_key_may_be_built_in_two_steps_and_a_document_holds_data() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.steps", "topic", "#");
    // The original's manual does so: an assignment leaves the variable's name in the text.
    let kamailio = start(shared().request(
        r#"kazoo_encode("$rU", "$var(encoded)"); $var(key) = "call.status_req.$var(encoded)";
           $var(json) = "{'User': '" + $rb + "'}";
           kazoo_publish("f.steps", $var(key), $var(json)); $var(answer) = "rc=" + $rc;"#,
    ));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("a.b", b"$var(key) $ $x"), "rc=1");
    let message = seen.only();
    assert_eq!(message.key, "call.status_req.a%2Eb");
    assert_eq!(message.json()["User"], "$var(key) $ $x");
    kamailio.stop();
}

#[test]
fn arguments_may_be_variables_and_json_may_have_single_quotes() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.bare", "topic", "#");
    let kamailio = start(shared().request(
        r#"$var(exchange) = "f.bare"; $var(key) = "of." + $rU; $var(headers) = "h=" + $rU;
           $var(json) = "{'Event-Category' : 'call_event' , 'User' : '" + $rU + "', 'Active-Only' : false }";
           kazoo_publish($var(exchange), $var(key), $var(json)); $var(answer) = "" + $rc;
           kazoo_publish($var(exchange), $var(key), $var(json), $var(headers));
           $var(answer) = $var(answer) + $rc;
           kazoo_publish("f.bare", "of.$rU", "$var(json)"); $var(answer) = $var(answer) + $rc;"#,
    ));
    assert_eq!(kamailio.sip().message("alice", b""), "111");
    for (count, message) in seen.wait_for(3).iter().enumerate() {
        let sent = message.json();
        assert_eq!(
            (&sent["User"], &sent["Active-Only"]),
            (&json!("alice"), &json!(false))
        );
        assert_eq!(message.key, "of.alice");
        assert_eq!(message.headers.len(), usize::from(count == 1));
    }
    kamailio.stop();
}

#[test]
fn the_default_exchange_reaches_a_queue() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = bus();
    bus.queue("f.default");
    let seen = bus.consume("f.default");
    let kamailio = start(shared().request(&publishing("")));
    assert_eq!(kamailio.sip().message("f.default", b"{}"), "rc=1");
    assert_eq!(seen.only().json()["App-Name"], "kamailio");
    kamailio.stop();
}

#[test]
fn large_and_foreign_payloads_arrive_whole() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.large", "topic", "#");
    let config = shared().before("pv_buffer_size=300000").private_memory(32);
    let kamailio = start(config.request(
        r#"kazoo_publish("f.large", "key",
               "{\"a\": \"$rb$rb$rb$rb$rb$rb$rb$rb\", \"é\": \"日本\\u0000\\ud83d\\ude00\"}");
           $var(answer) = "rc=" + $rc;"#,
    ));
    // More than RabbitMQ takes in one frame, of a request that every Kamailio receives.
    assert_eq!(kamailio.sip().message("x", &[b'x'; 25_000]), "rc=1");
    let sent = seen.only().json();
    assert_eq!(sent["a"].as_str().unwrap().len(), 200_000);
    assert_eq!(sent["é"], "日本\0😀");
    kamailio.stop();
}

#[test]
fn a_timer_an_event_and_an_rpc_publish() {
    needs!("kamailio", "kazoo", "rabbitmq", "rtimer.so", "tm.so");
    let _turn = turn::light();
    let bus = bus();
    let seen = bus.listen("f.from", "topic", "#");
    let kamailio = start(
        shared()
            .before("loadmodule \"tm.so\"")
            .after(
                "loadmodule \"rtimer.so\"\n\
             modparam(\"rtimer\", \"timer\", \"name=tick;interval=100000u;mode=1;\")\n\
             modparam(\"rtimer\", \"exec\", \"timer=tick;route=TICK\")",
            )
            .routes(
                r##"route[TICK] { kazoo_publish("f.from", "timer", "{}"); }
               event_route[tm:local-request] { kazoo_publish("f.from", "rpc", "{}"); }
               event_route[kazoo:mod-init] {
                   kazoo_subscribe("f.events", "topic", "f.events", "#");
               }
               event_route[kazoo:consumer-event] { kazoo_publish("f.from", "event", "$kzE"); }"##,
            ),
    );
    let from = |key: &str| -> Vec<Message> {
        let all = seen.messages().into_iter();
        all.filter(|message| message.key == key).collect()
    };
    crate::wait::until("the timer publishes", || from("timer").len() >= 2);
    bus.publish("f.events", "x", r#"{"of":"event"}"#);
    let of_event = || {
        from("event")
            .iter()
            .any(|each| each.json()["of"] == "event")
    };
    crate::wait::until("the event publishes", of_event);
    let target = format!("sip:dave@127.0.0.1:{}", kamailio.port());
    let headers = "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:dave@127.0.0.1>\r\n";
    let params = ["INFO", &target, ".", ".", headers].map(|text| json!(text));
    kamailio.rpc("tm.t_uac_start", &params);
    crate::wait::until("the RPC publishes", || from("rpc").len() == 1);
    kamailio.stop();
}

#[test]
fn order_is_kept_within_a_process() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.order", "topic", "#");
    let kamailio = start(shared().request(
        r#"$var(i) = 0;
           while ($var(i) < 1000) {
               if (kazoo_publish("f.order", "$pp", "{'n': $var(n)}")) {
                   $var(n) = $var(n) + 1; $var(i) = $var(i) + 1;
               }
           }"#,
    ));
    let mut sip = kamailio.sip();
    for _ in 0..8 {
        sip.message("x", b"");
    }
    let mut next = std::collections::HashMap::new();
    for message in seen.wait_for(8000) {
        let expected: &mut u64 = next.entry(message.key.clone()).or_default();
        assert_eq!(
            message.json()["n"],
            *expected,
            "from process {}",
            message.key
        );
        *expected += 1;
    }
    kamailio.wait_counter("confirmed", 8000);
    kamailio.stop();
}

#[test]
fn a_consumer_key_chooses_the_server() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let second = Rabbit::start();
    let here = bus().listen("targeted", "direct", "the.key");
    let there = Bus::to(second.port()).listen("targeted", "direct", "the.key");
    let config = shared().text_param("amqp_connection", &second.url());
    let kamailio = start(config.request(
        r#"kazoo_publish("targeted", "$rb", "{'a': '$rU'}"); $var(answer) = "rc=" + $rc;"#,
    ));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("two", b"consumer://2/the.key"), "rc=1");
    assert_eq!(there.only().json()["a"], "two");
    assert_eq!(sip.message("one", b"consumer://1/the.key"), "rc=1");
    assert_eq!(here.only().json()["a"], "one");
    // Without a server it is the first that is there.
    assert_eq!(sip.message("first", b"the.key"), "rc=1");
    assert_eq!(here.wait_for(2)[1].json()["a"], "first");
    assert_eq!((here.count(), there.count()), (2, 1));
    kamailio.stop();
}

#[test]
fn a_server_of_another_zone_is_used_only_where_it_is_named() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let second = Rabbit::start();
    let here = bus().listen("f.zones", "topic", "#");
    let there = Bus::to(second.port()).listen("f.zones", "topic", "#");
    let kamailio = start(
        broker::alone()
            .text_param("amqp_primary_zone", "home")
            .text_param("amqp_connection", &format!("zone=away;{}", second.url()))
            .text_param("amqp_connection", &Rabbit::shared().url())
            .request(r#"kazoo_publish("f.zones", "$rb", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    connected(&kamailio);
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", b"key"), "rc=1");
    assert_eq!(here.only().key, "key");
    assert_eq!(sip.message("x", b"consumer://1/away"), "rc=1");
    assert_eq!(there.only().key, "away");
    assert_eq!(here.count(), 1);
    kamailio.stop();
}
