use super::confirm::Tags;
use super::encode::{Content, put_ack, put_content, put_heartbeat, put_method, put_short};
use super::exchange::{Exchanges, Passage};
use super::protocol::{Closing, Deliver, FRAME_MIN, Frame, Method, method, parse};
use super::query::over::{OVER_MAX, Over};
use crate::frame::kazoo::Waiter;
use bytes::{BufMut, BytesMut};
use proptest::prelude::proptest;

fn frame(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut bytes = BytesMut::new();
    write(&mut bytes);
    bytes
}

fn method_frame(number: u32, write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    frame(|out| put_method(out, 3, number, write))
}

#[test]
fn methods_of_a_server() {
    let close = method_frame(method::CHANNEL_CLOSE, |out| {
        out.put_u16(404);
        put_short(out, b"NOT_FOUND");
        out.put_u32(method::BASIC_PUBLISH);
    });
    let closing = Closing {
        code: 404,
        text: b"NOT_FOUND",
    };
    let expected = (3, Frame::Method(Method::ChannelClose(closing)), close.len());
    assert_eq!(parse(&close, FRAME_MIN), Ok(Some(expected)));
    assert_eq!(closing.shown(), "404 NOT_FOUND");
    let deliver = method_frame(method::BASIC_DELIVER, |out| {
        put_short(out, b"consumer");
        out.put_u64(7);
        out.put_u8(1);
        put_short(out, b"exchange");
        put_short(out, b"key");
    });
    let delivered = Method::Deliver(Deliver {
        tag: 7,
        redelivered: true,
        routing_key: b"key",
    });
    let expected = (3, Frame::Method(delivered), deliver.len());
    assert_eq!(parse(&deliver, FRAME_MIN), Ok(Some(expected)));
    let ack = frame(|out| put_ack(out, 3, 9, true));
    let confirm = Method::Confirm {
        tag: 9,
        multiple: true,
        taken: true,
    };
    let expected = (3, Frame::Method(confirm), ack.len());
    assert_eq!(parse(&ack, FRAME_MIN), Ok(Some(expected)));
}

#[test]
fn every_cut_of_a_frame_waits_for_the_rest() {
    let whole = frame(put_heartbeat);
    assert_eq!(parse(&whole, 8), Ok(Some((0, Frame::Heartbeat, 8))));
    for cut in 0..whole.len() {
        assert_eq!(parse(&whole[..cut], 8), Ok(None), "{cut}");
    }
}

#[test]
fn what_no_server_sends_is_an_error() {
    for bad in [
        &b"AMQP\0\0\x09\x01"[..],
        b"HTTP/1.1 400 Bad",
        b"\x01\0\x03\0\x01\0\0",
        b"\x08\0\0\0\0\0\0\xCF",
        // A method that is shorter than its values.
        b"\x01\0\x03\0\0\0\x05\0\x14\0\x28\x01\xCE",
    ] {
        assert!(parse(bad, FRAME_MIN).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn a_message_is_cut_into_frames() {
    let body = [b'x'; 2 * FRAME_MIN];
    let content = Content {
        exchange: b"e",
        routing_key: b"k",
        body: &body,
        headers: b"a=1;broken;b=2",
    };
    let bytes = frame(|out| put_content(out, 1, &content, FRAME_MIN));
    let (mut at, mut got, mut frames) = (0, Vec::new(), 0);
    while let Some((channel, frame, len)) = parse(&bytes[at..], FRAME_MIN).unwrap() {
        assert_eq!(channel, 1);
        match frame {
            Frame::Method(method) => assert_eq!(method, Method::Other(method::BASIC_PUBLISH)),
            Frame::Header(size) => assert_eq!(size, body.len() as u64),
            Frame::Body(part) => got.extend_from_slice(part),
            Frame::Heartbeat => panic!("a heartbeat in a message"),
        }
        (at, frames) = (at + len, frames + 1);
    }
    assert_eq!((at, frames), (bytes.len(), 5));
    assert_eq!(got, body);
    let table = b"\x01aS\0\0\0\x011\x01bS\0\0\0\x012";
    assert!(bytes.windows(table.len()).any(|part| part == table));
}

#[test]
fn an_empty_message_has_no_body() {
    let content = Content {
        exchange: b"",
        routing_key: b"k",
        body: b"",
        headers: b"",
    };
    let bytes = frame(|out| put_content(out, 1, &content, FRAME_MIN));
    let (_, _, len) = parse(&bytes, FRAME_MIN).unwrap().unwrap();
    let (_, header, rest) = parse(&bytes[len..], FRAME_MIN).unwrap().unwrap();
    assert_eq!(header, Frame::Header(0));
    assert_eq!(len + rest, bytes.len());
}

#[test]
fn confirms_come_in_any_order() {
    let mut tags = Tags::default();
    for _ in 0..5 {
        tags.give();
    }
    tags.settle(2, false, true);
    assert_eq!((tags.settled(), tags.outstanding()), (0, 5));
    tags.settle(1, false, true);
    assert_eq!((tags.settled(), tags.outstanding()), (2, 3));
    tags.settle(4, true, false);
    assert_eq!((tags.settled(), tags.take_refused()), (4, vec![3, 4]));
    tags.settle(4, true, true);
    tags.settle(9, false, true);
    assert_eq!(tags.settled(), 4);
    tags.settle(5, false, true);
    assert_eq!((tags.settled(), tags.outstanding()), (5, 0));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes: Vec<u8>) {
        drop(parse(&bytes, FRAME_MIN));
    }

    #[test]
    fn hostile_methods_never_panic(class in 0_u16..100, number in 0_u16..130, values: Vec<u8>) {
        let number = u32::from(class) << 16 | u32::from(number);
        let bytes = method_frame(number, |out| out.extend_from_slice(&values));
        drop(parse(&bytes, 1 << 20));
    }

    #[test]
    fn hostile_confirms_never_panic(words: Vec<(u64, bool, bool)>) {
        let mut tags = Tags::default();
        for (tag, multiple, taken) in words {
            tags.give();
            tags.settle(tag, multiple, taken);
            assert!(tags.settled() <= tags.given());
        }
    }
}

#[test]
fn an_exchange_is_asked_for_before_its_first_message() {
    let mut exchanges = Exchanges::default();
    assert_eq!(exchanges.passage(b""), Passage::Free);
    assert_eq!(exchanges.passage(b"x"), Passage::Wait);
    assert_eq!(exchanges.take_wanted(), Some(b"x".to_vec()));
    assert_eq!(exchanges.take_wanted(), None);
    exchanges.found(b"x".to_vec());
    assert_eq!(exchanges.passage(b"x"), Passage::Free);
    assert!(exchanges.missed(b"y".to_vec()));
    assert_eq!(exchanges.passage(b"y"), Passage::Closed);
    assert!(!exchanges.missed(b"y".to_vec()));
    // The last message was for x.
    exchanges.doubt_last();
    assert_eq!(exchanges.passage(b"x"), Passage::Alone);
    exchanges.found(b"z".to_vec());
    exchanges.forget_found();
    assert_eq!(exchanges.passage(b"x"), Passage::Alone);
    assert_eq!(exchanges.passage(b"z"), Passage::Wait);
    exchanges.forget();
    assert_eq!(exchanges.passage(b"x"), Passage::Wait);
}

#[test]
fn queries_that_have_ended_are_known_until_there_are_too_many() {
    let waiter = |generation| Waiter::Blocking {
        process: 1,
        generation,
    };
    let mut over = Over::default();
    for generation in 0..=u32::try_from(OVER_MAX).unwrap() {
        over.add(waiter(generation), 5, b"id");
        over.add(waiter(generation), 5, b"id");
    }
    assert!(!over.has(waiter(0), 5, b"id"));
    assert!(over.has(waiter(1), 5, b"id"));
    assert!(!over.has(waiter(1), 6, b"id"));
    assert!(!over.has(waiter(1), 5, b"other"));
}
