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
        (message, &[b"s", b"r", b"", b"p"]),
        (Event::Connected(b"h:1"), &[b"h:1"]),
        (Event::Disconnected(b""), &[b""]),
    ];
    for (event, fields) in fields {
        let bytes = joined(&event.header().unwrap(), fields);
        assert_eq!(Event::parse(&bytes), Some(event));
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
