//! The functions of the modules event_kafka and kafka.

use super::calls::{Calls, bytes, text};
use super::stand::{PROCESS, Stand, reported};
use sipbus::abi::{Slice, event_kafka, kafka, kafka_event, kafka_stats};
use sipbus::frame::END;
use sipbus::frame::kafka::{Event, Place, Publish, To};
use sipbus::kafka::header;

/// Broker IDs and topics of the stand's settings.
const BROKERS: [&str; 2] = ["a", "b"];
const TOPICS: [&str; 2] = ["first", "second"];

fn target(known: &[&str], name: &[u8]) -> To<'static> {
    let at = known.iter().position(|known| known.as_bytes() == name);
    To::Target(at.expect("it was accepted").try_into().unwrap())
}

pub(super) fn publish(stand: &Stand, calls: &mut Calls<'_>) {
    let broker = calls.one_of(&BROKERS);
    let report = u32::from(calls.number());
    let [message, key, headers] = calls.texts();
    let [a, b, c, d] = [&broker, &message, &key, &headers].map(|text| text.slice());
    let answer = event_kafka::kafka_publish(PROCESS, a, b, c, report, d);
    if let Some(frame) = stand.accepted("event_kafka", answer) {
        let publish = Publish::parse(&frame).unwrap();
        let mut block = Vec::new();
        assert_eq!(header::from_text(headers.bytes(), &mut block), Ok(()));
        let expected = Publish {
            to: target(&BROKERS, broker.bytes()),
            key: Some(key.bytes()).filter(|key| !key.is_empty()),
            payload: message.bytes(),
            headers: &block,
            report: Some(report).filter(|report| *report != 0),
        };
        assert_eq!(publish, expected);
    }
    let is_known = event_kafka::sipbus_kafka_broker_known(broker.slice()) != 0;
    assert!(is_known || answer == -1);
    let why = headers.c_string();
    let invalid = event_kafka::sipbus_kafka_publish_invalid(PROCESS, why.as_ptr());
    assert!(stand.accepted("event_kafka", invalid).is_none());
}

pub(super) fn send(stand: &Stand, calls: &mut Calls<'_>) {
    let how = calls.number();
    let topic = calls.one_of(&TOPICS);
    let [message, key] = calls.texts();
    let [a, b, c] = [&topic, &message, &key].map(|text| text.slice());
    let with_key = how & 1 == 0;
    let answer = if with_key {
        kafka::kafka_send_key(PROCESS, a, b, c)
    } else {
        kafka::kafka_send(PROCESS, a, b)
    };
    if let Some(frame) = stand.accepted("kafka", answer) {
        let expected = Publish {
            to: target(&TOPICS, topic.bytes()),
            key: with_key.then_some(key.bytes()),
            payload: message.bytes(),
            headers: b"",
            report: None,
        };
        assert_eq!(Publish::parse(&frame), Some(expected));
    }
    let name = topic.c_string();
    let is_known = kafka_stats::sipbus_kafka_topic_known(name.as_ptr()) != 0;
    if how & 2 != 0 {
        let of_topic = |report| kafka_stats::sipbus_kafka_stats_topic(name.as_ptr(), report);
        assert_eq!(reported(of_topic) == 0, is_known);
        let of_all = |report| kafka_stats::sipbus_kafka_stats(std::ptr::null(), report);
        assert_eq!(reported(of_all), 0);
    }
    let why = key.c_string();
    let invalid = kafka::sipbus_kafka_send_invalid(PROCESS, why.as_ptr());
    assert!(stand.accepted("kafka", invalid).is_none());
}

/// What an engine tells of records and of messages that were published.
pub(super) fn event(stand: &Stand, calls: &mut Calls<'_>) {
    let how = calls.number();
    let number = u16::from(calls.number());
    let place = Place {
        partition: i32::from(calls.number()) - 1,
        offset: i64::from(calls.number()) << 40,
    };
    let [garbage, first, key, headers, payload] = calls.texts();
    let key = (how & 1 == 0).then_some(key.bytes());
    let event = if how & 2 == 0 {
        Event::Message {
            consumer: number,
            place,
            topic: first.bytes(),
            key,
            headers: headers.bytes(),
            payload: payload.bytes(),
        }
    } else {
        Event::Report {
            target: number,
            route: u32::from(number) << 24,
            delivered: how & 4 == 0,
            place,
            key,
            error: first.bytes(),
            payload: payload.bytes(),
        }
    };
    // The frame that ends a worker is none to be passed over.
    if garbage.bytes() != END && Event::parse(garbage.bytes()).is_none() {
        stand.put("event_kafka", &[garbage.bytes()]);
    }
    let fits = event.write(|parts| stand.put("event_kafka", parts));
    if !fits.unwrap() {
        // What cannot be read is passed over, and so something has to come behind it.
        let small = Event::Message {
            consumer: 0,
            place,
            topic: b"",
            key: None,
            headers: b"",
            payload: b"",
        };
        let fits = small.write(|parts| stand.put("event_kafka", parts));
        assert!(fits.unwrap());
        return waited(&small, b"");
    }
    waited(&event, first.bytes());
}

/// The event comes as it was put there; `name` is looked up among its headers.
fn waited(event: &Event<'_>, name: &[u8]) {
    let mut run = kafka_event::KafkaEvent {
        route: 0,
        name: std::ptr::null(),
    };
    assert_eq!(kafka_event::sipbus_kafka_event_wait(0, &raw mut run), 1);
    assert!(!run.name.is_null());
    match event {
        Event::Message { .. } => message(event, name),
        Event::Report { .. } => report(event),
    }
    kafka_event::sipbus_kafka_event_done(1);
    let mut out = Slice::EMPTY;
    assert_eq!(kafka_event::kafka_msg(&raw mut out), 0);
}

fn message(event: &Event<'_>, name: &[u8]) {
    let Event::Message {
        place,
        topic,
        key,
        headers,
        payload,
        ..
    } = event
    else {
        return;
    };
    let (mut out, mut number) = (Slice::EMPTY, 0);
    assert_eq!(kafka_event::kafka_msg(&raw mut out), 1);
    assert_eq!(text(out), *payload);
    assert_eq!(kafka_event::kafka_topic(&raw mut out), 1);
    assert_eq!(bytes(out), *topic);
    let has_key = kafka_event::kafka_key(&raw mut out) == 1;
    assert_eq!(has_key.then(|| bytes(out)), *key);
    assert_eq!(kafka_event::kafka_partition(&raw mut number), 1);
    assert_eq!(number, i64::from(place.partition));
    assert_eq!(kafka_event::kafka_offset(&raw mut number), 1);
    assert_eq!(number, place.offset);
    let names = header::iter(headers).map(|(name, _)| name);
    for name in names.chain([name]) {
        let slice = Slice {
            bytes: name.as_ptr().cast(),
            len: name.len(),
        };
        let is_there = kafka_event::kafka_header(slice, &raw mut out) == 1;
        assert_eq!(is_there.then(|| bytes(out)), header::find(headers, name));
    }
}

fn report(event: &Event<'_>) {
    let Event::Report {
        route,
        delivered,
        place,
        key,
        error,
        payload,
        ..
    } = event
    else {
        return;
    };
    let mut out = kafka_event::KafkaReport {
        route: 0,
        status: 0,
        partition: 0,
        offset: 0,
        broker: Slice::EMPTY,
        key: Slice::EMPTY,
        message: Slice::EMPTY,
        error: Slice::EMPTY,
    };
    assert_eq!(kafka_event::sipbus_kafka_event_report(&raw mut out), 1);
    assert_eq!((out.route, out.status == 0), (*route, *delivered));
    assert_eq!((out.partition, out.offset), (place.partition, place.offset));
    assert_eq!(bytes(out.key), key.unwrap_or_default());
    assert_eq!(text(out.message), *payload);
    assert_eq!(bytes(out.error), *error);
    bytes(out.broker);
}
