use super::{json, written};
use crate::kazoo::cache::Cache;
use crate::kazoo::encode::encode;
use crate::kazoo::headers;
use crate::kazoo::json::{Mistake, Value, parse};
use crate::kazoo::path::{count, find, keys};
use crate::kazoo::payload::{
    Identity, incoming, msg_id, outgoing, server_id_bytes, uuid, with_server_id,
};
use crate::kazoo::target::{self, Target};
use proptest::prelude::proptest;

const DOCUMENT: &str = r#"{
    "Channels": [ { "switch_url": "sip:a" }, { "switch_url": "sip:b" } ],
    "Trusted": { "192.168.1.1": { "token": "t" } },
    "a": { "b": { "c": 1.50 } }, "null": null, "list": [ [ 1, 2 ], 3 ], "empty": "" }"#;

fn at(value: &Value, path: &str) -> Option<String> {
    let found = find(value, path.as_bytes(), b'%')?;
    Some(String::from_utf8(found.text().into_owned()).unwrap())
}

#[test]
fn paths_find_what_they_name() {
    let value = json(DOCUMENT);
    for (path, expected) in [
        ("Channels[0].switch_url", Some("sip:a")),
        ("Channels[1].switch_url", Some("sip:b")),
        ("Channels[1]", Some(r#"{ "switch_url": "sip:b" }"#)),
        ("Channels[2].switch_url", None),
        ("Channels[-1]", None),
        ("Channels[99999999999999999999]", None),
        ("Channels[x].switch_url", Some("sip:a")),
        ("Channels[].switch_url", Some("sip:a")),
        ("Channels[1", Some(r#"{ "switch_url": "sip:b" }"#)),
        ("Channels.switch_url", None),
        ("Trusted.192%168%1%1.token", Some("t")),
        ("Trusted.192.168.1.1.token", None),
        ("a.b.c", Some("1.50")),
        ("a[3].b[0].c[7]", Some("1.50")),
        ("a.b.", Some(r#"{ "c": 1.50 }"#)),
        ("list[0]", Some("[ 1, 2 ]")),
        ("list[1]", Some("3")),
        ("empty", Some("")),
        ("null", None),
        ("missing", None),
        ("a.b.c.d", None),
        ("", None),
        (".", None),
        (".a", None),
        ("a..b", None),
        ("a..", None),
        ("[0]", Some(&written(&value))),
    ] {
        assert_eq!(at(&value, path).as_deref(), expected, "{path}");
    }
    assert_eq!(at(&json("[5,6]"), "[1]").as_deref(), Some("6"));
    assert_eq!(at(&json("5"), "a"), None);
}

#[test]
fn the_escape_character_can_be_another() {
    let value = json(DOCUMENT);
    let found = find(&value, b"Trusted.192#168#1#1.token", b'#').unwrap();
    assert_eq!(&*found.text(), b"t");
}

#[test]
fn lists_are_counted_and_objects_have_keys() {
    let value = json(DOCUMENT);
    for (path, expected) in [("Channels", 2), ("list[0]", 2), ("a", 0), ("x", 0), ("", 0)] {
        assert_eq!(count(&value, path.as_bytes(), b'%'), expected, "{path}");
    }
    let names = |path: &str| keys(&value, path.as_bytes(), b'%').count();
    assert_eq!((names("Trusted"), names("Channels"), names("x")), (1, 0, 0));
    assert_eq!(
        keys(&value, b"Channels[0]", b'%').next(),
        Some(&b"switch_url"[..])
    );
}

proptest! {
    #[test]
    fn any_path_is_safe(path: Vec<u8>, escape: u8) {
        let value = json(DOCUMENT);
        let listed = matches!(find(&value, &path, escape), Some(Value::Array(_)));
        assert!(listed || count(&value, &path, escape) == 0);
    }
}

fn encoded(text: &str) -> String {
    let mut bytes = Vec::new();
    encode(text.as_bytes(), &mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn routing_keys_are_encoded() {
    for (text, expected) in [
        ("sip:a@b.com", "sip%3Aa%40b%2Ecom"),
        ("a b+c/d", "a+b%2Bc%2Fd"),
        ("1-5339@10.0.0.20", "1-5339%4010%2E0%2E0%2E20"),
        ("%", "%25"),
        ("é", "%C3%A9"),
        ("#", "#"),
        ("*", "*"),
        ("#*", "%23%2A"),
        ("-~_", "-~_"),
        ("", ""),
    ] {
        assert_eq!(encoded(text), expected);
    }
}

#[test]
fn headers_are_pairs() {
    let all = |text: &'static str| headers::parse(text.as_bytes()).collect::<Vec<_>>();
    let pair = |name: &'static str, value: &'static str| Ok((name.as_bytes(), value.as_bytes()));
    assert_eq!(all("k=v;k2=v2"), [pair("k", "v"), pair("k2", "v2")]);
    assert_eq!(all(";k=v=w;;"), [pair("k", "v")]);
    assert_eq!(all("2048"), [Err(&b"2048"[..])]);
    assert_eq!(
        all("k=;=;a=b"),
        [Err(&b"k="[..]), Err(b"="), pair("a", "b")]
    );
    assert_eq!(all(""), []);
    let long = "n".repeat(256) + "=v";
    assert!(headers::parse(long.as_bytes()).all(|header| header.is_err()));
}

#[test]
fn a_routing_key_may_name_a_server() {
    let parse = |text: &'static str| target::parse(text.as_bytes(), 2);
    let key = |server, key: &'static str| {
        Ok(Target {
            server,
            key: key.as_bytes(),
        })
    };
    assert_eq!(parse("a.b"), key(0, "a.b"));
    assert_eq!(parse(""), key(0, ""));
    assert_eq!(parse("consumer://2/key"), key(2, "key"));
    assert_eq!(parse("consumer://1/a/b"), key(1, "a/b"));
    assert_eq!(parse("consumer://1/"), key(1, ""));
    for text in [
        "consumer://",
        "consumer://2",
        "consumer:///key",
        "consumer://x/key",
        "consumer://0/key",
        "consumer://-1/key",
        "consumer://3/key",
        "consumer://99999999999/key",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(target::parse(&[b'k'; 255], 0).is_ok());
    assert!(target::parse(&[b'k'; 256], 0).is_err());
    let prefixed = [b"consumer://1/".as_slice(), &[b'k'; 255]].concat();
    assert!(target::parse(&prefixed, 1).is_ok());
}

#[test]
fn answers_come_by_names_of_the_originals_form() {
    assert_eq!(target::own_queue("h", 2), "kamailio@h-<2-1>");
    assert_eq!(target::own_key("h", 2), "kamailio@h-<2>-targeted-1");
}

fn identity() -> Identity {
    Identity {
        app_name: "kamailio".to_owned(),
        app_version: "5.6.3".to_owned(),
        node: "kamailio@host".to_owned(),
    }
}

#[test]
fn messages_that_leave_say_who_sent_them() {
    let sent = outgoing(b"{'a':'x/y'}", &identity(), || "id".to_owned()).unwrap();
    let body = r#"{ "a": "x\/y", "App-Name": "kamailio", "App-Version": "5.6.3", "Node": "kamailio@host", "Msg-ID": "id" }"#;
    assert_eq!(String::from_utf8(sent.body.clone()).unwrap(), body);
    assert_eq!((sent.msg_id.as_str(), sent.needs_server_id), ("id", true));
    let (mut out, key) = (Vec::new(), "kamailio@host-<1>-targeted-\"1");
    with_server_id(&sent.body, key, &mut out);
    assert!(out.len() <= sent.body.len() + server_id_bytes(key));
    let whole = parse(&out).unwrap();
    assert_eq!(&*whole.get("Server-ID").unwrap().text(), key.as_bytes());
    assert_eq!(written(&whole).as_bytes(), out);
}

#[test]
fn what_a_message_says_itself_stays() {
    let own =
        r#"{ "Msg-ID": "own", "Node": "n", "App-Version": "v", "App-Name": "", "Server-ID": "s" }"#;
    let sent = outgoing(own.as_bytes(), &identity(), || unreachable!()).unwrap();
    assert_eq!(sent.body, own.as_bytes());
    assert_eq!((sent.msg_id.as_str(), sent.needs_server_id), ("own", false));
    let sent = outgoing(
        b"{'Server-ID':null,'Msg-ID':5}",
        &identity(),
        || unreachable!(),
    )
    .unwrap();
    assert_eq!((sent.msg_id.as_str(), sent.needs_server_id), ("5", true));
    assert!(parse(&sent.body).unwrap().get("Server-ID").is_none());
}

#[test]
fn only_objects_are_messages() {
    for text in ["[]", "\"x\"", "5", "null"] {
        let sent = outgoing(text.as_bytes(), &identity(), String::new);
        assert_eq!(sent, Err(Mistake::NotAnObject), "{text}");
        assert_eq!(
            incoming(text.as_bytes(), 1, "z", 0),
            Err(Mistake::NotAnObject)
        );
    }
    for text in ["", "not JSON"] {
        assert!(outgoing(text.as_bytes(), &identity(), String::new).is_err());
        assert!(incoming(text.as_bytes(), 1, "z", 0).is_err());
    }
}

#[test]
fn messages_that_come_say_where_from() {
    let come = |body: &str| {
        let (value, bytes) = incoming(body.as_bytes(), 2, "local", 1_700_000_000).unwrap();
        assert_eq!(parse(&bytes), Ok(value));
        String::from_utf8(bytes).unwrap()
    };
    let added = r#""AMQP-Broker-Zone": "local", "AMQP-Received": 1700000000"#;
    assert_eq!(
        come("{'Server-ID':'k','a':1}"),
        format!(r#"{{ "a": 1, {added}, "Server-ID": "consumer:\/\/2\/k" }}"#)
    );
    assert_eq!(
        come("{'Server-ID':'','a':1}"),
        format!(r#"{{ "a": 1, {added} }}"#)
    );
    assert_eq!(come("{}"), format!("{{ {added} }}"));
    assert_eq!(
        come("{'AMQP-Broker-Zone':'z','a':1,'AMQP-Received':0}"),
        r#"{ "AMQP-Broker-Zone": "local", "a": 1, "AMQP-Received": 1700000000 }"#
    );
}

#[test]
fn an_answer_is_known_by_its_msg_id() {
    let id = |text: &[u8]| msg_id(&parse(text).unwrap());
    assert_eq!(id(b"{'Msg-ID':'x'}").as_deref(), Some("x"));
    for text in [&b"{}"[..], b"{'Msg-ID':null}", b"[]", b"5"] {
        assert_eq!(id(text), None);
    }
}

#[test]
fn ids_are_version_4_uuids() {
    assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
}

#[test]
fn a_document_is_read_once() {
    let mut cache = Cache::new();
    let first: *const Value = cache.value(b"{'n':0}").unwrap().get("n").unwrap();
    for number in 1..4 {
        cache.value(format!("{{'n':{number}}}").as_bytes()).unwrap();
    }
    // It moved, but what is in it did not.
    let again: *const Value = cache.value(b"{'n':0}").unwrap().get("n").unwrap();
    assert_eq!(first, again);
    assert!(cache.value(b"{").is_err());
    for number in 4..20 {
        let value = cache.value(format!("{{'n':{number}}}").as_bytes()).unwrap();
        assert_eq!(value.get("n").unwrap().integer(), number);
    }
}
