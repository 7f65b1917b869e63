use super::protocol::{Info, Message, Op, parse, put_publish};
use crate::frame::nats::Publish;
use bytes::BytesMut;
use proptest::prelude::proptest;

const MAX: usize = 1024;

#[test]
fn messages_with_and_without_reply_and_headers() {
    let plain = b"MSG a.b 1 5\r\nhello\r\nPING\r\n";
    let message = Message {
        subject: b"a.b",
        reply: b"",
        headers: b"",
        payload: b"hello",
    };
    assert_eq!(parse(plain, MAX), Ok(Some((Op::Message(message), 20))));
    let reply = b"MSG a 1 r 0\r\n\r\n";
    let message = Message {
        subject: b"a",
        reply: b"r",
        headers: b"",
        payload: b"",
    };
    assert_eq!(parse(reply, MAX), Ok(Some((Op::Message(message), 15))));
    let headers = b"HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n";
    let message = Message {
        subject: b"a",
        reply: b"r",
        headers: b"NATS/1.0\r\n\r\n",
        payload: b"hi",
    };
    assert_eq!(
        parse(headers, MAX),
        Ok(Some((Op::Message(message), headers.len())))
    );
}

#[test]
fn other_operations() {
    for (line, op) in [
        (&b"PING\r\n"[..], Op::Ping),
        (b"PONG\r\n", Op::Pong),
        (b"+OK\r\n", Op::Ok),
        (b"INFO {}\r\n", Op::Info(b"{}")),
        (b"-ERR 'x y'\r\n", Op::Error(b"'x y'")),
        (b"MSG a 1 2000\r\n", Op::TooLarge(2002)),
    ] {
        assert_eq!(parse(line, MAX), Ok(Some((op, line.len()))));
    }
}

#[test]
fn a_server_that_says_no_limit_has_none() {
    let limit = |json| {
        serde_json::from_str::<Info>(json)
            .unwrap()
            .message_bytes_max()
    };
    assert_eq!(limit(r#"{"max_payload":5}"#), 5);
    assert_eq!(limit("{}"), usize::MAX);
}

#[test]
fn every_cut_of_a_message_waits_for_the_rest() {
    let whole = b"HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n";
    for cut in 0..whole.len() {
        assert_eq!(parse(&whole[..cut], MAX), Ok(None), "{cut}");
    }
}

#[test]
fn what_no_server_sends_is_an_error() {
    for bad in [
        &b"HTTP/1.1 400 Bad\r\n"[..],
        b"MSG a 1\r\n",
        b"MSG a 1 x\r\n",
        b"MSG a 1 r 5 6 7 8\r\n",
        b"MSG a 1 99999999999\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 1\r\nabc",
        b"HMSG a 1 9 2\r\nhi\r\n",
        b"\r\n",
    ] {
        assert!(parse(bad, MAX).is_err(), "{}", bad.escape_ascii());
    }
    assert!(parse(&vec![b'x'; 300_000], MAX).is_err());
}

#[test]
fn a_publish_is_one_line_and_the_payload() {
    let mut buffer = BytesMut::new();
    put_publish(
        &mut buffer,
        &Publish {
            subject: b"a.b",
            reply: b"",
            payload: b"\r\n\0",
        },
    );
    put_publish(
        &mut buffer,
        &Publish {
            subject: b"a",
            reply: b"r",
            payload: b"",
        },
    );
    assert_eq!(&buffer[..], b"PUB a.b 3\r\n\r\n\0\r\nPUB a r 0\r\n\r\n");
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes: Vec<u8>, prefix in "(MSG |HMSG |INFO |-ERR )?") {
        let bytes = [prefix.as_bytes(), &bytes].concat();
        drop(parse(&bytes, MAX));
    }

    #[test]
    fn hostile_message_lines_never_panic(line in "H?MSG [a. ]{0,6}[0-9 ]{0,20}\r\n.{0,20}") {
        drop(parse(line.as_bytes(), MAX));
    }
}
