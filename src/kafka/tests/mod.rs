mod settings;

use crate::kafka::consume;
use crate::kafka::header;
use crate::kafka::property::{IN_LINES, IN_SOCKETS, allow_idempotence, redacted};
use crate::kafka::route;
use crate::kafka::settings::Settings;
use crate::kafka::socket::{parse, parse_with_id};
use proptest::prelude::*;
use settings::given;

#[test]
fn sockets() {
    let socket = parse("kafka:127.0.0.1:9092/topic1?t.message.timeout.ms=1000&key=callid").unwrap();
    assert_eq!(socket.brokers, "127.0.0.1:9092");
    assert_eq!(socket.topic, "topic1");
    assert_eq!(socket.properties[0].to_string(), "message.timeout.ms=1000");
    assert!(socket.key_callid);
    let (id, socket) =
        parse_with_id("  [k1]a:1,[::1]:2,c/t.x-y_z?g.linger.ms=100&t.acks=all").unwrap();
    assert_eq!(id, "k1");
    assert_eq!(socket.brokers, "a:1,[::1]:2,c");
    assert_eq!(socket.topic, "t.x-y_z");
    assert_eq!(socket.properties.len(), 2);
    assert!(!socket.key_callid);
    let socket = parse("h/t?g.ssl.ca.location=/etc/ssl/ca.pem").unwrap();
    assert_eq!(socket.properties[0].value, "/etc/ssl/ca.pem");
    assert_eq!(socket.to_string(), "kafka:h/t");
}

#[test]
fn socket_errors_point_at_the_character() {
    for (text, at, why) in [
        ("h:9092", 6, "topic"),
        ("h:9092/", 7, "empty"),
        ("/t", 0, "host"),
        ("h:0/t", 2, "port"),
        ("h:x/t", 2, "port"),
        ("a:1,:2/t", 4, "host"),
        ("a:1,b:70000/t", 6, "port"),
        ("a b:1/t", 1, "host"),
        ("h/t/u", 3, "topic has"),
        ("h/t?x=1", 4, "neither g. nor t."),
        ("h/t?g.=1", 6, "name is missing"),
        ("h/t?g.a", 4, "name=value"),
        ("h/t?g.a=", 8, "no value"),
        ("h/t?g.a=1&", 10, "name=value"),
        ("h/t?g.a=1?t.acks=1", 9, "second '?'"),
        ("h/t?key=from", 8, "callid"),
        ("h/t?t.linger.ms=1", 4, "no property of topics"),
        ("h/t?g.bootstrap.servers=x", 4, "elsewhere"),
        ("h/..", 2, "called"),
        ("kafka:h:1/t?y=1", 12, "neither"),
    ] {
        let mistake = parse(text).unwrap_err();
        assert_eq!(mistake.at, at, "{text}: {}", mistake.why);
        assert!(mistake.why.contains(why), "{text}: {}", mistake.why);
    }
    for (text, at) in [
        ("k1]h/t", 0),
        (" [k1h/t", 7),
        ("[]h/t", 1),
        ("[k1]h", 5),
        ("[k1]h/t?z", 8),
    ] {
        assert_eq!(parse_with_id(text).unwrap_err().at, at, "{text}");
    }
}

#[test]
fn secrets_are_never_shown() {
    for (text, separator) in [
        ("[k]h/t?g.sasl.password=hush&x", IN_SOCKETS),
        ("[k]h/t?g.sasl.password=a;hush", IN_SOCKETS),
        ("[k]h/t?g.sasl.password=a?hush&t.acks=1", IN_SOCKETS),
        ("[k]h/t?g.sasl.password=a&hush&t.acks=1", IN_SOCKETS),
        ("[k]h=i/t?g.sasl.password=hush", IN_SOCKETS),
        ("h g.ssl.key.password=hush", IN_SOCKETS),
        ("[k]h/t?g.sasl.jaas.config=hush&t.acks=9?", IN_SOCKETS),
        ("brokers=h;group=g;g.sasl.password=hush;oops", IN_LINES),
        ("brokers=h;g.sasl.password=a&hush?hush;group=g", IN_LINES),
        ("name=t;client.secret=hush", IN_LINES),
    ] {
        let shown = redacted(text, separator);
        assert!(!shown.contains("hush"), "{shown}");
        let acks = text.contains("t.acks=1");
        assert_eq!(shown.contains("t.acks=1"), acks, "{shown}");
    }
    let shown = format!("{:?}", parse("h/t?g.sasl.password=hush&t.acks=1").unwrap());
    assert!(
        !shown.contains("hush") && shown.contains("acks=1"),
        "{shown}"
    );
    for text in [
        "[k]h/t?g.sasl.password=hush&x",
        "[k]h/?g.ssl.keystore.password=hush",
    ] {
        let said = parse_with_id(text).unwrap_err().about(text, IN_SOCKETS);
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn consume_lines() {
    let line =
        "brokers=a:1,b:2; group = g ;topics=x, y.z,^q.*;workers=3;t.auto.offset.reset=earliest;";
    let consumer = consume::parse(line).unwrap();
    assert_eq!(consumer.brokers, "a:1,b:2");
    assert_eq!(consumer.group, "g");
    assert_eq!(consumer.topics, ["x", "y.z", "^q.*"]);
    assert_eq!(consumer.workers, 3);
    assert_eq!(consumer.properties[0].name, "auto.offset.reset");
    for (text, at) in [
        ("group=g;topics=t", 16),
        ("brokers=a;topics=t", 18),
        ("brokers=a;group=g", 17),
        ("brokers=a:x;group=g;topics=t", 10),
        ("brokers=a;group=g;topics=t u", 26),
        ("brokers=a;group=g;topics=t;workers=0", 35),
        ("brokers=a;group=g;topics=t;lonely", 27),
        ("brokers=a;group=g;topics=t;g.group.id=x", 27),
        ("brokers=a;group=g;topics=t;g.enable.auto.commit=false", 27),
        ("brokers=a;group=g;topics=t, u,t", 30),
        ("colour=red", 0),
    ] {
        let mistake = consume::parse(text).unwrap_err();
        assert_eq!(mistake.at, at, "{text}: {}", mistake.why);
    }
}

#[test]
fn the_idempotent_producer_is_on_unless_the_properties_speak_against_it() {
    let allowed =
        |text: &str| allow_idempotence(&parse(&format!("h/t?{text}")).unwrap().properties);
    for text in [
        "g.linger.ms=1",
        "t.acks=all",
        "t.acks=-1",
        "g.retries=5",
        "g.max.in.flight=5",
    ] {
        assert!(allowed(text), "{text}");
    }
    for text in [
        "t.acks=1",
        "t.request.required.acks=0",
        "g.enable.idempotence=false",
        "g.retries=0",
        "g.max.in.flight=6",
        "t.queuing.strategy=lifo",
    ] {
        assert!(!allowed(text), "{text}");
    }
}

#[test]
fn routes_from_the_topic_to_all() {
    let names: Vec<String> = route::candidates("calls.eu.ended").collect();
    assert_eq!(
        names,
        [
            "kafka:calls-eu-ended",
            "kafka:calls-eu-all",
            "kafka:calls-all",
            "kafka:all"
        ]
    );
    assert_eq!(route::mapped("4xx"), "topic-4xx");
    assert_eq!(route::mapped("a_b-c"), "a_b-c");
    assert_eq!(route::event_name("a.b"), "kafka:a.b");
}

#[test]
fn headers_come_back_as_they_were() {
    let mut block = Vec::new();
    header::from_text(b"Node=one; Empty=;Node=two=2", &mut block).unwrap();
    assert!(header::push(&mut block, b"None", None));
    let all: Vec<_> = header::iter(&block).collect();
    assert_eq!(all.len(), 4);
    assert_eq!(all[2], (&b"Node"[..], Some(&b"two=2"[..])));
    assert_eq!(header::find(&block, b"Node"), Some(&b"one"[..]));
    assert_eq!(header::find(&block, b"Empty"), Some(&b""[..]));
    assert_eq!(header::find(&block, b"None"), None);
    assert_eq!(header::find(&block, b"node"), None);
    for text in [&b"x"[..], b"=v", b"a=1;b"] {
        assert!(header::from_text(text, &mut Vec::new()).is_err());
    }
}

proptest! {
    #[test]
    fn every_mapped_name_fits_the_grammar(topic in "[a-zA-Z0-9._-]{1,40}") {
        let name = route::mapped(&topic);
        prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()));
        prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn hostile_texts_never_panic(text: String) {
        for text in [text.clone(), format!("[k]{text}"), format!("kafka:h/t?{text}")] {
            if let Err(mistake) = parse_with_id(&text) {
                drop(mistake.about(&text, IN_SOCKETS));
            }
            if let Err(mistake) = consume::parse(&text) {
                drop(mistake.about(&text, IN_LINES));
            }
            drop(Settings::kafka(&given(&[("brokers", &text), ("topic", &text)])));
        }
    }

    #[test]
    fn hostile_headers_never_panic(block: Vec<u8>) {
        prop_assert!(header::iter(&block).count() <= block.len());
    }
}
