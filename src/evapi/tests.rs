use super::address::{Address, parse};
use super::netstring::{Found, Parser, put_length};
use super::settings::{FullPolicy, Settings};
use crate::config::{Given, Value};
use proptest::prelude::{any, proptest};

const MAX: usize = 1000;

/// What a stream split at `cuts` gives: its messages, how much was garbage, and whether it ended.
fn read(stream: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, usize, bool) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let (mut parser, mut buffer) = (Parser::new(MAX), Vec::new());
    let (mut messages, mut garbage, mut before) = (Vec::new(), 0, 0);
    for cut in cuts {
        buffer.extend_from_slice(&stream[before..cut]);
        before = cut;
        loop {
            let taken = match parser.next(&buffer) {
                Found::Frame { start, end, taken } => {
                    messages.push(buffer[start..end].to_vec());
                    taken
                }
                Found::Blank(count) => count,
                Found::Garbage(count) => {
                    garbage += count;
                    count
                }
                Found::More => break,
                Found::TooLong => return (messages, garbage, true),
            };
            buffer.drain(..taken);
        }
    }
    (messages, garbage, false)
}

fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    read(stream, &[]).0
}

fn netstring(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_length(&mut bytes, message.len());
    bytes.extend_from_slice(message);
    bytes.push(b',');
    bytes
}

#[test]
fn frames_are_found_between_blanks() {
    assert_eq!(
        messages(b" 2:ab,\r\n3:cde,\t0:,00001:f,"),
        [&b"ab"[..], b"cde", b"f"]
    );
}

#[test]
fn what_is_no_netstring_is_skipped_and_the_next_frame_is_found() {
    for garbage in [
        &b":"[..],
        b"-1:",
        b"-99999999999999999999:",
        b"+5:",
        b"- ",
        b"garbage",
        b"12 ",
        b"3:abcX",
        b"11:{\"a\":\"b\",1}X",
        b"\0\xff,",
    ] {
        let stream = [garbage, b"5:hello,"].concat();
        let (messages, skipped, ended) = read(&stream, &[]);
        assert_eq!(
            messages,
            [b"hello"],
            "after {:?}",
            String::from_utf8_lossy(garbage)
        );
        assert!(skipped > 0 && !ended);
    }
}

#[test]
fn a_length_over_the_limit_ends_the_stream() {
    let digits = [b'9'; 32 * 1024];
    let zeroes = [b'0'; 65];
    for stream in [
        &b"2147483640:A,"[..],
        b"99999999999:",
        b"1001:",
        &digits,
        &zeroes,
    ] {
        assert_eq!(read(stream, &[]), (vec![], 0, true));
    }
    assert_eq!(messages(&netstring(&[b'x'; MAX])).len(), 1);
}

#[test]
fn an_unfinished_frame_is_waited_for() {
    for stream in [&b"5"[..], b"5:", b"5:hell", b"5:hello"] {
        assert_eq!(Parser::new(MAX).next(stream), Found::More);
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        sent: Vec<Vec<u8>>,
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let stream: Vec<u8> = sent.iter().flat_map(|message| netstring(message)).collect();
        let (messages, garbage, ended) = read(&stream, &cuts);
        let expected: Vec<_> = sent.into_iter().filter(|message| !message.is_empty()).collect();
        assert_eq!((messages, garbage, ended), (expected, 0, false));
    }

    #[test]
    fn garbage_is_the_same_for_any_split(
        stream in proptest::collection::vec(proptest::sample::select(b"0123459:,-+ \nab".to_vec()), 0..80),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let (whole, split) = (read(&stream, &[]), read(&stream, &cuts));
        assert_eq!((whole.0, whole.2), (split.0, split.2));
    }

    #[test]
    fn hostile_bytes_never_panic(stream: Vec<u8>) {
        drop(read(&stream, &[]));
    }
}

fn tcp(host: &str, port: u16, tls: bool) -> Address {
    let host = host.to_owned();
    Address::Tcp { host, port, tls }
}

#[test]
fn every_form_of_address_is_read() {
    for (text, address) in [
        ("127.0.0.1:8448", tcp("127.0.0.1", 8448, false)),
        ("127.0.0.1", tcp("127.0.0.1", 8448, false)),
        ("localhost:65535", tcp("localhost", 65535, false)),
        ("[::1]:1", tcp("::1", 1, false)),
        ("tls:[::]:9000", tcp("::", 9000, true)),
        ("unix:/run/evapi", Address::Unix("/run/evapi".to_owned())),
    ] {
        assert_eq!(parse(text), Ok(address.clone()));
        assert_eq!(parse(&address.to_string()), Ok(address));
    }
}

#[test]
fn bad_addresses_are_refused_by_name() {
    for text in [
        "",
        ":8448",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "::1:8448",
        "[::1",
        "[::1]8448",
        "[host]:1",
        "unix:relative",
        "a b:1",
    ] {
        let why = parse(text).unwrap_err();
        assert!(why.contains(&format!("\"{text}\"")), "{why}");
    }
}

fn settings(lines: &[(&str, Value)]) -> Result<Settings, Vec<String>> {
    let mut given = Given::default();
    for (name, value) in lines {
        given.add(name, value.clone());
    }
    Settings::from_given(&given, false)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn the_defaults_are_the_originals() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.bind, [tcp("127.0.0.1", 8448, false)]);
    assert_eq!((settings.workers, settings.clients_max), (1, 8));
    assert!(settings.netstrings && !settings.spread);
    assert_eq!(settings.full_policy, FullPolicy::Close);
    assert_eq!(settings.unix_mode, 0o660);
}

#[test]
fn no_workers_are_one_worker() {
    let settings = settings(&[("workers", Value::Number(0))]).unwrap();
    assert_eq!(settings.workers, 1);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes = settings(&[
        ("bind_addr", text("host:0")),
        ("bind_addr", text("tls:127.0.0.1:1")),
        ("client_full_policy", text("wait")),
        ("unix_socket_mode", text("999")),
        ("unix_socket_owner", text("no-such-user-here")),
        ("frame_size_max", Value::Number(1 << 28)),
        ("max_clients", Value::Number(0)),
    ])
    .unwrap_err();
    assert_eq!(mistakes.len(), 7, "{mistakes:?}");
}

#[test]
fn tls_files_need_a_tls_address() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = text(file.path().to_str().unwrap());
    let mistakes = settings(&[("tls_cert_file", file)]).unwrap_err();
    assert!(mistakes[0].contains("bind_addr"), "{mistakes:?}");
}
