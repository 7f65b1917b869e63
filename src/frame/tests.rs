use super::evapi::{self, Connection, Order, To, What};
use super::kazoo;
use super::nats::{Event, Publish};
use super::{FIELDS_MAX, Frame, Header, TooLong};
use proptest::prelude::{any, proptest};

fn joined(header: &Header, fields: &[&[u8]]) -> Vec<u8> {
    [&[header.bytes()], fields].concat().concat()
}

#[test]
fn a_publish_is_read_as_written() {
    let publish = Publish {
        subject: b"a.b",
        reply: b"",
        payload: b"\0\xff",
    };
    let header = publish.header().unwrap();
    let bytes = joined(&header, &[publish.subject, publish.reply, publish.payload]);
    assert_eq!(Publish::parse(&bytes), Some(publish));
}

#[test]
fn every_event_is_read_as_written() {
    let message = Event::Message {
        subject: b"s",
        reply: b"r",
        headers: b"",
        payload: b"p",
    };
    let fields: [(Event<'_>, &[&[u8]]); 3] = [
        (message, &[b"s", b"r", b"", b"p", b"\0"]),
        (Event::Connected(b"h:1"), &[b"h:1"]),
        (Event::Disconnected(b""), &[b""]),
    ];
    for (event, fields) in fields {
        let bytes = joined(&event.header().unwrap(), fields);
        assert_eq!(Event::parse(&bytes), Some(event));
    }
}

#[test]
fn every_order_is_read_as_written() {
    let connection = Connection {
        index: 3,
        port: 65535,
        generation: u64::MAX,
    };
    for order in [
        Order::Relay(To::All, b"data\0"),
        Order::Relay(To::Tagged(b"tag"), b"data"),
        Order::Relay(To::First(b"tag"), b""),
        Order::Admit(connection),
        Order::Close(connection),
        Order::Tag(connection, b"tag"),
    ] {
        let bytes = order.write(|parts| parts.concat()).unwrap();
        assert_eq!(Order::parse(&bytes), Some(order));
    }
}

#[test]
fn every_evapi_event_is_read_as_written_and_ends_with_a_nul() {
    let connection = Connection {
        index: 1,
        port: 2,
        generation: 3,
    };
    for what in [What::New, What::Message(b"hello"), What::Closed] {
        let event = evapi::Event {
            connection,
            orders: 4,
            address: b"::1",
            tag: b"",
            what,
        };
        let numbers = event.numbers();
        let fields = event.fields(&numbers);
        let bytes = joined(&event.header(&fields).unwrap(), &fields);
        assert_eq!(evapi::Event::parse(&bytes), Some(event));
        assert_eq!(bytes.last(), Some(&0));
    }
}

#[test]
fn too_many_fields_are_refused() {
    let fields = [&[][..]; FIELDS_MAX + 1];
    assert_eq!(Header::of(1, &fields).unwrap_err(), TooLong);
}

proptest! {
    #[test]
    fn any_fields_survive(kind: u16, fields in proptest::collection::vec(any::<Vec<u8>>(), 0..=FIELDS_MAX)) {
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let bytes = joined(&Header::of(kind, &fields).unwrap(), &fields);
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!((frame.kind, frame.fields()), (kind, &fields[..]));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Frame::parse(&bytes);
        let _ = Event::parse(&bytes);
        let _ = evapi::Event::parse(&bytes);
        let _ = Order::parse(&bytes);
    }

    #[test]
    fn a_cut_frame_is_refused(payload: Vec<u8>, cut in 1_usize..20) {
        let publish = Publish { subject: b"subject", reply: b"r", payload: &payload };
        let header = publish.header().unwrap();
        let bytes = joined(&header, &[publish.subject, publish.reply, publish.payload]);
        let cut = bytes.len().saturating_sub(cut);
        assert_eq!(Publish::parse(&bytes[..cut]), None);
    }
}

const SUSPENDED: kazoo::Suspended = kazoo::Suspended {
    tindex: 1,
    tlabel: u32::MAX,
    ok: 2,
    err: 3,
};

#[test]
fn every_order_to_a_broker_is_read_as_written() {
    let publish = kazoo::Publish {
        server: 2,
        needs_server_id: true,
        exchange: b"e",
        routing_key: b"k",
        body: b"{ \"a\": 1 }",
        headers: b"a=b",
    };
    let query = |waiter| kazoo::Query {
        needs_server_id: false,
        exchange: b"",
        routing_key: b"k",
        body: b"{ }",
        headers: b"",
        msg_id: b"id",
        deadline_ms: u64::MAX,
        waiter,
    };
    let blocking = kazoo::Waiter::Blocking {
        process: 7,
        generation: u32::MAX,
    };
    for order in [
        kazoo::Order::Publish(publish),
        kazoo::Order::Query(query(blocking)),
        kazoo::Order::Query(query(kazoo::Waiter::Async(SUSPENDED))),
    ] {
        let bytes = order.write(|parts| parts.concat()).unwrap();
        assert_eq!(kazoo::Order::parse(&bytes), Some(order));
    }
}

#[test]
fn every_event_of_a_broker_is_read_as_written() {
    let message = kazoo::Arrived {
        server: 3,
        received: 1_795_312_836,
        body: b"\0\xff",
    };
    for event in [
        kazoo::Event::Message {
            subscription: kazoo::TARGETED,
            routing_key: b"k",
            message,
        },
        kazoo::Event::Answer(SUSPENDED, message),
        kazoo::Event::Failed(SUSPENDED, kazoo::Reason::Crowded),
        kazoo::Event::Connection {
            open: true,
            host: b"h",
            zone: b"z",
        },
    ] {
        let bytes = event.write(|parts| parts.concat()).unwrap();
        assert_eq!(kazoo::Event::parse(&bytes), Some(event));
    }
    let reply = message.write(|parts| parts.concat()).unwrap();
    assert_eq!(kazoo::Arrived::parse(&reply), Some(message));
    assert!(reply.len() - message.body.len() <= kazoo::REPLY_OVERHEAD);
}

proptest! {
    #[test]
    fn hostile_frames_of_a_broker_never_panic(
        kind in 0_u16..6,
        numbers in proptest::collection::vec(any::<u8>(), 0..40),
        texts in proptest::collection::vec(any::<Vec<u8>>(), 0..6),
    ) {
        let mut fields: Vec<&[u8]> = vec![&numbers];
        fields.extend(texts.iter().map(Vec::as_slice).take(FIELDS_MAX - 1));
        let header = Header::of(kind, &fields).unwrap();
        let bytes = joined(&header, &fields);
        _ = kazoo::Order::parse(&bytes);
        _ = kazoo::Event::parse(&bytes);
        _ = kazoo::Arrived::parse(&bytes);
    }
}
