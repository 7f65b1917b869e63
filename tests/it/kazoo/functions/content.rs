//! What `kazoo_publish` sends: properties, headers, keys and bodies.

use serde_json::json;

use super::{bus, publishing};
use crate::kazoo::broker::{shared, start};
use crate::require::needs;
use crate::{turn, wait};

/// As they are given, and as they arrive.
type Headers<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);

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
fn callers_cannot_name_ever_new_variables() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.names", "topic", "#");
    let kamailio = start(shared().request(
        r#"$var(encoded) = "a"; $var(i) = 0;
           while ($var(i) < 300) {
               $var(key) = "$var(encoded).$var(n" + $var(i) + ")";
               kazoo_publish("f.names", $var(key), "{}");
               $var(i) = $var(i) + 1;
           }
           $var(key) = "$var(encoded).end";
           kazoo_publish("f.names", $var(key), "{}"); $var(answer) = "rc=" + $rc;"#,
    ));
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    wait::until("all are there", || seen.messages().len() == 301);
    let keys: Vec<String> = seen.messages().into_iter().map(|it| it.key).collect();
    assert_eq!(keys[0], "a.0");
    assert_eq!(keys[299], "$var(encoded).$var(n299)");
    // Those that were evaluated before still are.
    assert_eq!(keys[300], "a.end");
    let log = kamailio.stop();
    assert_eq!(log.matches("are taken as text").count(), 1, "{log}");
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
