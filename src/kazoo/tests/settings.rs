use crate::config::{Given, Kind, Value};
use crate::kazoo::server::{Server, parse, redacted};
use crate::kazoo::settings::{SETTINGS, Settings};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn settings(lines: &[(&str, Value)]) -> Result<Settings, Vec<String>> {
    let mut given = Given::default();
    for (name, value) in lines {
        given.add(name, value.clone());
    }
    Settings::from_given(&given)
}

fn with_host(lines: &[(&str, Value)]) -> Settings {
    let host = [("node_hostname", text("host"))];
    settings(&[&host, lines].concat()).unwrap()
}

fn server(host: &str, port: u16, user: &str, password: &str, vhost: &str) -> Server {
    Server {
        zone: "local".to_owned(),
        host: host.to_owned(),
        port,
        user: user.to_owned(),
        password: password.to_owned(),
        vhost: vhost.to_owned(),
        tls: false,
    }
}

#[test]
fn every_form_of_address_is_read() {
    let guest = |host: &str, port, vhost: &str| server(host, port, "guest", "guest", vhost);
    for (text, expected) in [
        ("amqp://host", guest("host", 5672, "/")),
        ("amqp://host/", guest("host", 5672, "/")),
        ("amqp://host/%2f", guest("host", 5672, "/")),
        ("amqp://host/%2F", guest("host", 5672, "/")),
        ("amqp://host/v", guest("host", 5672, "v")),
        ("amqp://host/%2fv", guest("host", 5672, "/v")),
        ("amqp://host/v%2fw", guest("host", 5672, "v/w")),
        ("amqp:///v", guest("localhost", 5672, "v")),
        ("kazoo://u:p@host:1", server("host", 1, "u", "p", "/")),
        (
            "amqp://u%61:p%40%2f@host",
            server("host", 5672, "ua", "p@/", "/"),
        ),
        ("amqp://u@host", server("host", 5672, "u", "guest", "/")),
        ("amqp://[::1]:10", guest("::1", 10, "/")),
        ("AMQP://127.0.0.1:65535", guest("127.0.0.1", 65535, "/")),
    ] {
        assert_eq!(parse(text, "local").as_ref(), Ok(&expected), "{text}");
    }
    let secure = parse("zone=east;amqps://host", "local").unwrap();
    assert!(secure.tls && secure.zone == "east" && secure.port == 5671);
    let given = parse("amqps://host:5555/v%20w", "local").unwrap();
    assert_eq!(given.to_string(), "amqps://host:5555/v w");
    assert_eq!(
        parse("amqp://[::1]", "l").unwrap().to_string(),
        "amqp://[::1]:5672"
    );
}

#[test]
fn bad_addresses_are_refused_without_their_password() {
    for text in [
        "",
        "host",
        "http://u:secret@host",
        "amqp:/u:secret@host",
        "u:secret@host",
        "zone=;amqp://u:secret@host",
        "zone=east amqp://u:secret@host",
        "zone=east;u:secret@host",
        "amqp://u:secret@host:0",
        "amqp://u:secret@host:65536",
        "amqp://u:secret@host:x",
        "amqp://u:secret@host/a/b",
        "amqp://u:secret@host/a?b",
        "amqp://u:secret@host/a#b",
        "amqp://u:secret@[::1",
        "amqp://u:secret@",
        "amqp://u:sec@secret@host:x",
        "amqp:/u:secret@host?b=://c",
    ] {
        let why = parse(text, "local").unwrap_err();
        assert!(!why.contains("secret"), "{why}");
        assert!(why.contains(&redacted(text)), "{why}");
    }
    let long = format!("amqp://u:secret@host/{}", "v".repeat(256));
    assert!(parse(&long, "local").is_err());
}

#[test]
fn passwords_are_never_shown() {
    let settings = with_host(&[("amqp_connection", text("amqp://u:secret@host"))]);
    assert!(!format!("{settings:?}").contains("secret"));
    assert!(!settings.servers[0].to_string().contains("secret"));
    assert_eq!(settings.servers[0].password, "secret");
}

#[test]
fn the_defaults_are_the_originals() {
    let settings = with_host(&[]);
    assert_eq!(settings.servers, []);
    assert_eq!((settings.workers, settings.prefetch), (8, 250));
    assert_eq!(
        (settings.query_timeout_ms, settings.connect_timeout_ms),
        (2000, 200)
    );
    assert_eq!(settings.json_escape, b'%');
    assert_eq!(
        (settings.event_key.as_str(), settings.event_subkey.as_str()),
        ("Event-Category", "Event-Name")
    );
    assert!(
        settings.publisher_confirms && settings.tls.verify_peer && settings.tls.verify_hostname
    );
    let presence = &settings.presence;
    assert!(presence.enabled && !presence.has_database && presence.include_entity);
    assert_eq!(
        (presence.table.as_str(), presence.lock_type),
        ("presentity", 1)
    );
    let identity = settings.identity("5.6.3");
    assert_eq!(
        (identity.app_name.as_str(), identity.node.as_str()),
        ("kamailio", "kamailio@host")
    );
    let document = serde_json::to_string(&settings).unwrap();
    assert_eq!(
        serde_json::from_str::<Settings>(&document).unwrap(),
        settings
    );
}

#[test]
fn servers_belong_to_zones_and_are_counted_over_all() {
    let line = |text_: &str| ("amqp_connection", text(text_));
    let settings = with_host(&[
        line("amqp://a"),
        line("zone=east;amqp://b"),
        line("zone=west;amqp://c"),
        line("zone=east;amqp://d"),
        ("amqp_primary_zone", text("east")),
    ]);
    let primary: Vec<_> = settings
        .primary()
        .map(|(n, server)| (n, server.host.as_str()))
        .collect();
    assert_eq!(primary, [(1, "a"), (2, "b"), (4, "d")]);
}

#[test]
fn timeouts_are_sums() {
    let settings = with_host(&[
        ("amqp_query_timeout_sec", Value::Number(1)),
        ("amqp_query_timeout_micro", Value::Number(200_000)),
        ("amqp_connect_timeout_micro", Value::Number(1)),
    ]);
    assert_eq!(
        (settings.query_timeout_ms, settings.connect_timeout_ms),
        (1200, 1)
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = settings(&[
        ("amqp_connection", text("http://x")),
        ("amqp_connection", text("amqp://host:0")),
        ("amqps_cert", text("/there/is/no/such/file")),
        ("pua_mode", Value::Number(2)),
        ("prefetch", Value::Number(0)),
        ("no_such", Value::Number(1)),
    ])
    .unwrap_err();
    // And node_hostname is missing, and the certificate has no key.
    assert_eq!(mistakes.len(), 8, "{mistakes:?}");
}

#[test]
fn what_is_not_used_is_accepted() {
    let unused = SETTINGS
        .iter()
        .filter(|row| row.doc.starts_with("Accepted for compatibility"));
    let lines: Vec<_> = unused
        .map(|row| match row.kind {
            Kind::Number { .. } => (row.name, Value::Number(-7)),
            _ => (row.name, text("anything")),
        })
        .collect();
    assert_eq!(lines.len(), 19);
    with_host(&lines);
}

#[test]
fn every_default_lies_in_its_range() {
    for row in SETTINGS {
        if let Kind::Number { min, max } = row.kind {
            let default: i64 = row.default.parse().unwrap();
            assert!((min..=max).contains(&default), "{}", row.name);
        }
    }
}
