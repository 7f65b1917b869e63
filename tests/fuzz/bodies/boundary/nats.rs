//! The nats module's functions.

use super::calls::{Calls, LARGE, Text, bytes, text};
use super::stand::{PROCESS, Stand};
use sipbus::abi::{Slice, nats, nats_event};
use sipbus::frame;

pub(super) fn publish(stand: &Stand, calls: &mut Calls<'_>) {
    let [subject, payload, reply] = calls.texts();
    let answer = nats::nats_publish(PROCESS, subject.slice(), payload.slice(), reply.slice());
    if let Some(frame) = stand.accepted("nats", answer) {
        let publish = frame::nats::Publish::parse(&frame).unwrap();
        assert_eq!(publish.subject, subject.bytes());
        assert_eq!(publish.payload, payload.bytes());
        assert_eq!(publish.reply, reply.bytes());
    }
}

pub(super) fn event(stand: &Stand, calls: &mut Calls<'_>) {
    let [garbage, subject, reply, headers, payload] = calls.texts();
    let message = frame::nats::Event::Message {
        subject: subject.bytes(),
        reply: reply.bytes(),
        headers: headers.bytes(),
        payload: payload.bytes(),
    };
    let header = message.header().unwrap();
    let texts = [&subject, &reply, &headers, &payload].map(Text::bytes);
    if texts.iter().any(|text| text.len() == LARGE) {
        return;
    }
    let [a, b, c, d] = texts;
    // What cannot be read is passed over.
    if frame::nats::Event::parse(garbage.bytes()).is_none() {
        stand.put("nats", &[garbage.bytes()]);
    }
    stand.put("nats", &[header.bytes(), a, b, c, d, b"\0"]);
    let mut event = nats_event::NatsEvent {
        route: 0,
        name: std::ptr::null(),
    };
    assert_eq!(nats_event::sipbus_nats_event_wait(0, &raw mut event), 1);
    let mut out = Slice::EMPTY;
    assert_eq!(nats_event::nats_data(&raw mut out), 1);
    assert_eq!(text(out), payload.bytes());
    assert_eq!(nats_event::nats_subject(&raw mut out), 1);
    assert_eq!(bytes(out), subject.bytes());
    let replies = nats_event::nats_reply(&raw mut out) == 1;
    assert_eq!(replies, !reply.bytes().is_empty());
    if nats_event::nats_header(subject.slice(), &raw mut out) == 1 {
        assert!(bytes(out).len() <= headers.bytes().len());
    }
    nats_event::sipbus_nats_event_done(1);
    assert_eq!(nats_event::nats_data(&raw mut out), 0);
}
