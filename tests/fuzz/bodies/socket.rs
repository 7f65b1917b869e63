//! Addresses of all kinds, as configurations and scripts write them, and what travels beside them:
//! routing keys, headers.

use super::lines;
use percent_encoding::percent_decode;
use sipbus::events::socket::Socket;
use sipbus::events::subscription::Subscription;
use sipbus::kafka::property::{IN_LINES, IN_SOCKETS};
use sipbus::kafka::socket::Mistake;
use sipbus::kafka::{self, header, property::redacted};
use sipbus::kazoo::{SHORT_BYTES_MAX, encode, headers, server, target};
use sipbus::{evapi, nats};

/// Two lines. What was understood is understood again as it is shown; no mistake shows a secret.
pub(crate) fn socket(input: &[u8]) {
    let (first, second) = lines(input);
    encoded(input);
    headed(input);
    targeted(input);
    let (Ok(first), Ok(second)) = (std::str::from_utf8(first), std::str::from_utf8(second)) else {
        return;
    };
    for text in [first, second] {
        of_kafka(text);
        of_events(text);
        of_servers(text);
    }
    secret(first, second);
}

/// What was encoded has no dot, and can be decoded.
fn encoded(text: &[u8]) {
    let mut word = Vec::new();
    encode::encode(text, &mut word);
    if text == b"#" || text == b"*" {
        return assert_eq!(word, text);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-~_%+".contains(byte);
    assert!(word.iter().all(plain));
    let blanks: Vec<u8> = word
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    assert_eq!(percent_decode(&blanks).collect::<Vec<u8>>(), text);
}

fn headed(text: &[u8]) {
    for (name, value) in headers::parse(text).flatten() {
        assert!(!name.is_empty() && !value.is_empty() && name.len() <= SHORT_BYTES_MAX);
    }
    let mut block = Vec::new();
    if header::from_text(text, &mut block).is_ok() {
        let parts = text.split(|byte| *byte == b';');
        let parts = parts.filter(|part| !part.trim_ascii().is_empty());
        assert_eq!(header::iter(&block).count(), parts.count());
        let mut again = Vec::new();
        for (name, value) in header::iter(&block) {
            assert!(!name.is_empty() && value.is_some());
            assert!(header::find(&block, name).is_some());
            assert!(header::push(&mut again, name, value));
        }
        assert_eq!(again, block);
    }
    // A block that lies in a ring.
    let bytes: usize = header::iter(text)
        .map(|(name, value)| 8 + name.len() + value.map_or(0, <[u8]>::len))
        .sum();
    assert!(bytes <= text.len());
}

fn targeted(text: &[u8]) {
    const SERVERS: usize = 300;
    if let Ok(target) = target::parse(text, SERVERS) {
        assert!(usize::from(target.server) <= SERVERS && target.key.len() <= SHORT_BYTES_MAX);
    }
    let sender = target::sender(SERVERS, text);
    match target::parse(&sender, SERVERS) {
        Ok(target) => assert_eq!((usize::from(target.server), target.key), (SERVERS, text)),
        Err(_) => assert!(text.len() > SHORT_BYTES_MAX),
    }
}

fn of_kafka(text: &str) {
    match kafka::socket::parse(text) {
        Ok(socket) => {
            let again = kafka::socket::parse(&socket.to_string()).unwrap();
            assert_eq!((again.brokers, again.topic), (socket.brokers, socket.topic));
        }
        Err(mistake) => placed(&mistake, text),
    }
    if let Err(mistake) = kafka::socket::parse_with_id(text) {
        placed(&mistake, text);
    }
    if let Err(mistake) = kafka::socket::check_brokers(text) {
        placed(&mistake, text);
    }
    match kafka::socket::check_topic(text) {
        Ok(()) => {
            let plain = |name: &str| {
                name.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b))
            };
            assert!(kafka::route::candidates(text).all(|name| plain(&name)));
        }
        Err(mistake) => placed(&mistake, text),
    }
    match kafka::consume::parse(text) {
        Ok(consumer) => assert!(!consumer.topics.is_empty() && consumer.workers > 0),
        Err(mistake) => placed(&mistake, text),
    }
}

fn placed(mistake: &Mistake, text: &str) {
    assert!(
        text.is_char_boundary(mistake.at),
        "{} of {text:?}",
        mistake.at
    );
    assert!(!mistake.about(text, IN_SOCKETS).is_empty());
}

fn of_events(text: &str) {
    if let Ok(socket) = Socket::parse(text) {
        assert_eq!(Socket::parse(&socket.text()), Ok(socket));
    }
    if let Ok(line) = Subscription::parse(text) {
        let again = format!("{} {}", line.event, line.socket.text());
        assert_eq!(Subscription::parse(&again), Ok(line));
    }
}

fn of_servers(text: &str) {
    if let Ok(server) = nats::url::parse(text) {
        let again = nats::url::parse(&server.to_string()).unwrap();
        let place = |server: nats::url::Server| (server.host, server.port, server.tls);
        assert_eq!(place(again), place(server));
    }
    if let Ok(server) = server::parse(text, "zone") {
        let parts = [&server.host, &server.user, &server.password, &server.vhost];
        assert!(parts.iter().all(|part| part.len() <= SHORT_BYTES_MAX));
        assert!(server.port > 0 && !server.host.is_empty() && !server.vhost.is_empty());
    }
    // A host may be called as one of the words that stand in front of hosts.
    let is_word = ["tls", "tcp", "unix"]
        .iter()
        .any(|word| text.ends_with(word));
    if let Ok(address) = evapi::address::parse(text)
        && !is_word
    {
        assert_eq!(evapi::address::parse(&address.to_string()), Ok(address));
    }
}

/// No sentence about a line shows the secret in it, however wrong the rest is.
fn secret(before: &str, behind: &str) {
    const SECRET: &str = "hunter2";
    if before.contains(SECRET) || behind.contains(SECRET) {
        return;
    }
    let url = format!("{before}:{SECRET}@{behind}");
    let pairs = format!("{before};g.sasl.password=x&{SECRET}?{SECRET};{behind}");
    let socket = format!("{before}&g.sasl.password=x;{SECRET}?{SECRET}&{behind}");
    let mistakes = [
        nats::url::parse(&url).err(),
        server::parse(&url, "zone").err(),
        kafka::consume::parse(&pairs)
            .err()
            .map(|m| m.about(&pairs, IN_LINES)),
        kafka::socket::parse_with_id(&socket)
            .err()
            .map(|m| m.about(&socket, IN_SOCKETS)),
        Socket::parse(&socket).err(),
        Subscription::parse(&socket).err(),
        Some(redacted(&socket, IN_SOCKETS)),
        Some(redacted(&pairs, IN_LINES)),
    ];
    for mistake in mistakes.into_iter().flatten() {
        assert!(!mistake.contains(SECRET), "{mistake}");
    }
}
