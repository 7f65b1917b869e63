//! Frames of all modules, in both directions.

use sipbus::frame::{Frame, Header, evapi, kafka, kazoo, nats};

/// Whatever lies in a ring is read as a frame or refused; what was read can be written again, and
/// what was written is read as it was.
pub(crate) fn frame(input: &[u8]) {
    if let Some(frame) = Frame::parse(input) {
        let header = Header::of(frame.kind, frame.fields()).expect("it was read from one");
        assert_eq!(joined(&header, frame.fields()), input);
    }
    nats_again(input);
    evapi_again(input);
    kafka_again(input);
    kazoo_again(input);
    written(input);
}

fn joined(header: &Header, fields: &[&[u8]]) -> Vec<u8> {
    [&[header.bytes()], fields].concat().concat()
}

fn nats_again(input: &[u8]) {
    if let Some(publish) = nats::Publish::parse(input) {
        let header = publish.header().unwrap();
        let fields = [publish.subject, publish.reply, publish.payload];
        assert_eq!(joined(&header, &fields), input);
    }
    if let Some(event) = nats::Event::parse(input) {
        let header = event.header().unwrap();
        let again = match event {
            nats::Event::Message {
                subject,
                reply,
                headers,
                payload,
            } => joined(&header, &[subject, reply, headers, payload, b"\0"]),
            nats::Event::Connected(server) | nats::Event::Disconnected(server) => {
                joined(&header, &[server])
            }
        };
        assert_eq!(nats::Event::parse(&again), Some(event));
    }
}

fn evapi_again(input: &[u8]) {
    if let Some(order) = evapi::Order::parse(input) {
        let again = order.write(|parts| parts.concat()).unwrap();
        assert_eq!(again, input);
    }
    if let Some(event) = evapi::Event::parse(input) {
        let numbers = event.numbers();
        let fields = event.fields(&numbers);
        let again = joined(&event.header(&fields).unwrap(), &fields);
        assert_eq!(evapi::Event::parse(&again), Some(event));
    }
}

fn kafka_again(input: &[u8]) {
    if let Some(publish) = kafka::Publish::parse(input) {
        let again = publish.write(|parts| parts.concat()).unwrap();
        assert_eq!(kafka::Publish::parse(&again), Some(publish));
    }
    if let Some(event) = kafka::Event::parse(input) {
        let again = event.write(|parts| parts.concat()).unwrap();
        assert_eq!(kafka::Event::parse(&again), Some(event));
    }
}

fn kazoo_again(input: &[u8]) {
    if let Some(order) = kazoo::Order::parse(input) {
        let again = order.write(|parts| parts.concat()).unwrap();
        assert_eq!(kazoo::Order::parse(&again), Some(order));
    }
    if let Some(event) = kazoo::Event::parse(input) {
        let again = event.write(|parts| parts.concat()).unwrap();
        assert_eq!(kazoo::Event::parse(&again), Some(event));
    }
    if let Some(arrived) = kazoo::Arrived::parse(input) {
        let again = arrived.write(|parts| parts.concat()).unwrap();
        assert_eq!(kazoo::Arrived::parse(&again), Some(arrived));
    }
}

/// Frames of any texts: read as written, and no larger than promised.
fn written(input: &[u8]) {
    let Some((places, rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let mut rest = rest;
    let [a, b, c, d] = places.map(|place| {
        let (part, behind) = rest.split_at(usize::from(place).min(rest.len()));
        rest = behind;
        part
    });
    let texts = a.len() + b.len() + c.len() + d.len() + rest.len();
    let number = u32::from_ne_bytes(*places);
    let publish = kafka::Publish {
        to: kafka::To::Socket(a),
        key: (number % 2 == 0).then_some(b),
        payload: rest,
        headers: c,
        report: Some(number).filter(|number| *number != u32::MAX),
    };
    let bytes = publish.write(|parts| parts.concat()).unwrap();
    assert_eq!(kafka::Publish::parse(&bytes), Some(publish));
    assert!(bytes.len() <= texts + kafka::PUBLISH_OVERHEAD);
    let order = kazoo::Order::Query(kazoo::Query {
        needs_server_id: number % 2 == 0,
        exchange: a,
        routing_key: b,
        body: rest,
        headers: c,
        msg_id: d,
        deadline_ms: u64::from(number) << 16,
        waiter: kazoo::Waiter::Async(suspended(number)),
    });
    let bytes = order.write(|parts| parts.concat()).unwrap();
    assert_eq!(kazoo::Order::parse(&bytes), Some(order));
    assert!(bytes.len() <= texts + kazoo::ORDER_OVERHEAD);
    let message = kazoo::Arrived {
        server: u16::from(places[0]),
        received: u64::from(number),
        body: rest,
    };
    let event = kazoo::Event::Answer(suspended(number), message);
    let bytes = event.write(|parts| parts.concat()).unwrap();
    assert_eq!(kazoo::Event::parse(&bytes), Some(event));
    assert!(bytes.len() <= rest.len() + kazoo::EVENT_OVERHEAD);
    assert_eq!(nats::Publish::parse(&bytes), None);
}

fn suspended(number: u32) -> kazoo::Suspended {
    kazoo::Suspended {
        tindex: number,
        tlabel: !number,
        ok: number >> 8,
        err: number << 8,
    }
}
