//! What the fuzzer and the test of the kept inputs do with an input: each body takes any bytes, and
//! panics where a promise is broken.
#![allow(dead_code, reason = "each target uses one of them")]

use sipbus::config::{Given, Value};
use sipbus::evapi::netstring::{Found, Parser, put_length};
use sipbus::frame;

/// What is done with an input.
pub(crate) type Body = fn(&[u8]);

/// All bodies, by the name of their target and of their folder of kept inputs.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("frame", frame),
    ("netstring", netstring),
    ("subject", subject),
    ("setting", setting),
];

/// Whatever lies in a ring is read as a frame or refused; what was read can be written again.
pub(crate) fn frame(input: &[u8]) {
    if let Some(frame) = frame::Frame::parse(input) {
        let header = frame::Header::of(frame.kind, frame.fields()).expect("it was read from one");
        let mut again = header.bytes().to_vec();
        frame
            .fields()
            .iter()
            .for_each(|field| again.extend_from_slice(field));
        assert_eq!(again, input);
    }
    _ = frame::nats::Publish::parse(input);
    _ = frame::nats::Event::parse(input);
    _ = frame::evapi::Order::parse(input);
    _ = frame::evapi::Event::parse(input);
}

/// However the bytes were split, the same messages come out, and a message put between garbage and
/// line ends is found.
pub(crate) fn netstring(input: &[u8]) {
    const MOST: usize = 1000;
    let (split, bytes) = match input.split_first() {
        Some((split, bytes)) => (usize::from(*split) + 1, bytes),
        None => return,
    };
    let whole = messages(bytes, bytes.len().max(1), MOST);
    assert_eq!(whole, messages(bytes, split, MOST));
    let mut sent = Vec::new();
    put_length(&mut sent, bytes.len());
    sent.extend_from_slice(bytes);
    sent.push(b',');
    if (1..=MOST).contains(&bytes.len()) {
        assert_eq!(messages(&sent, split, MOST), Some(vec![bytes.to_vec()]));
    }
}

/// What a client that sends `bytes` in pieces is understood to say; none if it is to be closed.
fn messages(bytes: &[u8], piece: usize, most: usize) -> Option<Vec<Vec<u8>>> {
    let mut parser = Parser::new(most);
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let taken = match parser.next(&buffer) {
                Found::Frame { start, end, taken } => {
                    found.push(buffer[start..end].to_vec());
                    taken
                }
                Found::Blank(count) | Found::Garbage(count) => count,
                Found::TooLong => return None,
                Found::More => break,
            };
            buffer.drain(..taken);
        }
    }
    Some(found)
}

/// Subjects, wildcards, headers and addresses of NATS: a route's name is always one that Kamailio's
/// grammar takes.
pub(crate) fn subject(input: &[u8]) {
    use sipbus::nats::{header, route, subject, url};
    let (pattern, rest) = input.split_at(
        input
            .iter()
            .position(|b| *b == b'\n')
            .unwrap_or(input.len()),
    );
    _ = subject::check_publish(pattern);
    _ = subject::check_queue(rest);
    if subject::check_subscribe(pattern).is_ok() {
        for name in route::candidates(rest, pattern) {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b)),
                "{name}"
            );
        }
    }
    _ = header::find(rest, pattern);
    if let Ok(text) = std::str::from_utf8(input) {
        drop(url::parse(text));
        drop(sipbus::evapi::address::parse(text));
    }
}

/// Lines of `name=value` as modparams of each module: accepted, or refused with sentences.
pub(crate) fn setting(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut given = Given::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        // Files and names are looked up: that is another test's.
        if name.contains("file") || name == "bind_addr" || name == "unix_socket_owner" {
            continue;
        }
        let value = match value.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(value.to_owned()),
        };
        given.add(name, value);
    }
    let mistakes = [
        sipbus::nats::settings::Settings::from_given(&given, true).err(),
        sipbus::evapi::settings::Settings::from_given(&given, true).err(),
    ];
    for mistake in mistakes.into_iter().flatten() {
        assert!(!mistake.is_empty());
        assert!(mistake.iter().all(|sentence| !sentence.is_empty()));
    }
}
