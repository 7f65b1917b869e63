use super::settings::Settings;
use super::{header, route, subject, url};
use crate::config::{Given, Value};
use proptest::prelude::proptest;

#[test]
fn subjects_for_publishing() {
    for good in ["a", "a.b-c.D_1", "2020", "é.x", "a*b.c>d"] {
        assert_eq!(subject::check_publish(good.as_bytes()), Ok(()), "{good}");
    }
    let long = "x".repeat(1025);
    for bad in [
        "",
        ".a",
        "a.",
        "a..b",
        "a b",
        "a\r\nPUB x",
        "a\0",
        "a.*",
        ">",
        "a.>",
        &long,
    ] {
        assert!(subject::check_publish(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn subjects_for_subscribing() {
    for good in ["a", "*", ">", "a.*.b", "a.>", "*.>", "a.*"] {
        assert_eq!(subject::check_subscribe(good.as_bytes()), Ok(()), "{good}");
    }
    for bad in ["", "a.>.b", ">.a", "a.b*", "a.b>", ".>", "a. b"] {
        assert!(subject::check_subscribe(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn routes_from_the_most_to_the_least_specific() {
    let names: Vec<_> = route::candidates(b"orders.eu.created", b"orders.*.created").collect();
    assert_eq!(
        names,
        [
            "nats:orders-eu-created",
            "nats:orders-any-created",
            "nats:orders-eu-all",
            "nats:orders-all",
            "nats:all",
        ]
    );
}

#[test]
fn names_outside_the_grammar_are_mapped_into_it() {
    assert_eq!(route::mapped(b"2020.calls"), "subject-2020-calls");
    assert_eq!(route::mapped(b"connected"), "subject-connected");
    assert_eq!(route::mapped(b"disconnected.now"), "disconnected-now");
    assert_eq!(route::mapped(b"a$b.c/d"), "a_b-c_d");
    assert_eq!(route::mapped(b"*.x"), "any-x");
    assert_eq!(route::mapped(b">"), "all");
    assert_eq!(route::mapped("é".as_bytes()), "subject-__");
    assert_eq!(route::mapped(b"Kamailio-World"), "Kamailio-World");
}

#[test]
fn a_subscription_knows_the_routes_that_can_serve_it() {
    let defined: Vec<String> = [
        "connected",
        "all",
        "orders-all",
        "orders-eu-created",
        "a-b",
        "other",
    ]
    .map(|name| format!("nats:{name}"))
    .into();
    let serving = |pattern: &str| route::serving(pattern.as_bytes(), &defined);
    assert_eq!(
        serving("orders.*.created"),
        ["nats:orders-all", "nats:all", "nats:orders-eu-created"]
    );
    assert_eq!(
        serving("orders.>"),
        ["nats:orders-all", "nats:all", "nats:orders-eu-created"]
    );
    assert_eq!(serving("a.b"), ["nats:a-b", "nats:all"]);
    assert_eq!(serving("orders"), ["nats:all"]);
    assert_eq!(
        route::serving(b"x.*", &["nats:connected".to_owned()]),
        Vec::<String>::new()
    );
}

#[test]
fn headers_are_found_without_regard_to_case() {
    let block = b"NATS/1.0\r\nCall-ID:  a:b \r\nEmpty:\r\nCall-ID: second\r\n\r\n";
    assert_eq!(header::find(block, b"call-id"), Some(&b"a:b"[..]));
    assert_eq!(header::find(block, b"Empty"), Some(&b""[..]));
    assert_eq!(header::find(block, b"NATS/1.0"), None);
    assert_eq!(header::find(b"", b"x"), None);
}

#[test]
fn urls() {
    let server = url::parse("nats://localhost").unwrap();
    assert_eq!(
        (server.host.as_str(), server.port, server.tls),
        ("localhost", 4222, false)
    );
    let server = url::parse("tls://us%40er:p%3Aw@[::1]:99").unwrap();
    assert_eq!(
        (server.host.as_str(), server.port, server.tls),
        ("::1", 99, true)
    );
    assert_eq!(
        (server.user.as_deref(), server.password.as_deref()),
        (Some("us@er"), Some("p:w"))
    );
    let server = url::parse("nats://t0ken@h:1/").unwrap();
    assert_eq!(
        (server.user, server.token.as_deref()),
        (None, Some("t0ken"))
    );
}

#[test]
fn url_errors_name_the_fault_and_never_the_password() {
    for (text, fault) in [
        ("http://u:secret@h", "nats://"),
        ("u:secret@h", "nats://"),
        ("u:secret@h://", "nats://"),
        ("nats://u:secret@h:port", "port"),
        ("nats://u:secret@h:70000", "port"),
        ("nats://u:secret@h:0", "port"),
        ("nats://u:secret@", "host"),
        ("nats://u:secret@h:1/path", "follow"),
        ("nats://u:sec/ret@h:1", ""),
    ] {
        let error = url::parse(text).unwrap_err();
        assert!(error.contains(fault), "{error}");
        assert!(
            !error.contains("secret") && !error.contains("ret@"),
            "{error}"
        );
    }
    let shown = format!("{:?}", url::parse("nats://u:secret@h").unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

fn settings(lines: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let mut given = Given::default();
    for (name, text) in lines {
        let value = text
            .parse()
            .map_or_else(|_| Value::Text((*text).to_owned()), Value::Number);
        given.add(name, value);
    }
    Settings::from_given(&given, true)
}

#[test]
fn nothing_given_is_one_local_server() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.servers[0].to_string(), "nats://localhost:4222");
    assert_eq!(settings.inboxes(), 1);
}

#[test]
fn all_mistakes_come_at_once() {
    let mistakes = settings(&[
        ("nats_url", "amqp://x"),
        ("nats_url", "nats://x:y"),
        ("subject_queue_group", "lonely"),
        ("subject_queue_group", "a..b:g"),
        ("subject_queue_group", "a:"),
        ("tls", "2"),
        ("tls_ca_file", "/nonexistent/ca.pem"),
        ("tls_cert_file", "/nonexistent/c.pem"),
        ("queue_size", "-1"),
    ])
    .unwrap_err();
    assert_eq!(mistakes.len(), 11, "{mistakes:#?}");
}

#[test]
fn settings_survive_the_way_to_the_engine() {
    let settings = settings(&[
        ("nats_url", "nats://u:p@a"),
        ("nats_url", "tls://b"),
        ("subject_queue_group", "a.>:g:h"),
    ])
    .unwrap();
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    assert_eq!(settings.subscriptions[0].queue, "g:h");
}

proptest! {
    #[test]
    fn every_mapped_name_fits_the_grammar(subject: Vec<u8>) {
        let name = route::mapped(&subject);
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn hostile_headers_never_panic(block: Vec<u8>, name: Vec<u8>) {
        let _ = header::find(&block, &name);
    }

    #[test]
    fn hostile_urls_never_panic(text: String) {
        drop(url::parse(&format!("nats://{text}")));
    }
}
