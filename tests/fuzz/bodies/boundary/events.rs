//! Raising events and subscribing to them.

use super::calls::{Calls, Text, text};
use super::stand::{PROCESS, Stand, reported};
use sipbus::abi::{Slice, event, event_subscribe};
use sipbus::events::{name, socket::Socket};
use sipbus::frame;

/// With and without a route, and one that is subscribed to from the start.
const EVENTS: [&str; 4] = ["E_ONE", "E_TWO_", "E:THREE", "kept"];

const SOCKETS: [&str; 7] = [
    "kafka:host:1/topic",
    "kafka:host:1/topic?key=callid",
    "nats:a.b",
    "kazoo:e/k",
    "evapi:",
    "evapi:tag",
    " nats:blank ",
];

/// What an input leaves behind: each begins where the one before began.
#[derive(Default)]
pub(super) struct Left {
    /// How many routes of events are running.
    routes: usize,
    subscribed: Vec<(Text, Text)>,
}

impl Drop for Left {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for _ in 0..self.routes {
            event::sipbus_event_end();
        }
        for (event, socket) in &self.subscribed {
            let ended = event_subscribe::subscribe_event(event.slice(), socket.slice(), 0);
            assert_eq!(ended, 1);
        }
    }
}

pub(super) fn subscribe(left: &mut Left, calls: &mut Calls<'_>) {
    let (event, socket) = (calls.one_of(&EVENTS), calls.one_of(&SOCKETS));
    let expire = match calls.number() {
        1 => -1,
        2 => i64::MIN,
        3 => i64::MAX,
        seconds => i64::from(seconds),
    };
    let (a, b) = (event.slice(), socket.slice());
    refused_by_configuration(&event, &socket);
    let answer = event_subscribe::subscribe_event(a, b, expire);
    let exists = event_subscribe::sipbus_event_exists(a, b);
    match (answer, expire) {
        (1, 0) => assert!(exists != 1 || socket.bytes().trim_ascii().is_empty()),
        (1, ..0 | i64::MAX) => assert_eq!(exists, 1),
        (1, _) => {}
        _ => assert_eq!(answer, -1),
    }
    let events = |report| event_subscribe::sipbus_events_list(report);
    assert_eq!(reported(events), 0);
    let all = |report| event_subscribe::sipbus_subscribers_list(Slice::EMPTY, b, report);
    assert_eq!(reported(all), 0);
    let own = |report| event_subscribe::sipbus_subscribers_list(a, b, report);
    assert_eq!(reported(own), 0);
    if answer == 1 && expire != 0 {
        left.subscribed.push((event, socket));
    }
}

/// What is wrong in the configuration is refused there. What is not wrong would be kept for ever.
fn refused_by_configuration(event: &Text, socket: &Text) {
    if name::check(event.bytes()).is_err() {
        assert_eq!(event_subscribe::sipbus_event_known(event.slice()), -1);
    }
    let parsed = std::str::from_utf8(socket.bytes()).map(Socket::parse);
    if !matches!(parsed, Ok(Ok(_))) {
        let known = event_subscribe::sipbus_event_socket_known(socket.slice());
        assert_eq!(known, -1);
    }
}

pub(super) fn raise(stand: &Stand, left: &mut Left, calls: &mut Calls<'_>) {
    let (how, name) = (calls.number(), calls.one_of(&EVENTS));
    let callid = calls.text();
    match event::sipbus_event_begin(name.slice()) {
        1 | 2 => {}
        answer => return assert!([0, -1].contains(&answer)),
    }
    let params = match how % 4 {
        0 => Params::None,
        1 => Params::Json(calls.text()),
        2 => Params::Named(calls.texts()),
        _ => Params::Listed(calls.texts()),
    };
    params.add();
    let mut route = 0;
    let answer = event::raise_event(PROCESS, callid.slice(), &raw mut route);
    assert!([1, -1].contains(&answer));
    for payload in payloads(stand) {
        let sent: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let method = sent.get("method").and_then(|method| method.as_str());
        assert_eq!(method.map(str::as_bytes), Some(name.bytes()));
    }
    if route >= 0 {
        left.routes += 1;
        assert_eq!(variable(b"name").as_deref(), Some(name.bytes()));
        params.look();
        if how & 4 == 0 {
            left.routes -= 1;
            event::sipbus_event_end();
        }
    }
    variable(callid.bytes());
}

/// The parameters of an event.
enum Params {
    None,
    Json(Text),
    Named([Text; 4]),
    Listed([Text; 3]),
}

impl Params {
    fn add(&self) {
        match self {
            Self::None => {}
            Self::Json(json) => {
                event::sipbus_event_set(json.slice());
            }
            Self::Named([a, value, b, number]) => {
                event::sipbus_event_add_text(named(a), value.slice());
                event::sipbus_event_add_number(named(b), whole(number));
            }
            Self::Listed(values) => {
                for value in values {
                    event::sipbus_event_add_text(Slice::EMPTY, value.slice());
                }
                event::sipbus_event_add_number(Slice::EMPTY, -1);
            }
        }
    }

    /// A route finds them as they were added.
    fn look(&self) {
        match self {
            Self::None => assert_eq!(variable(b"1"), None),
            Self::Json(json) => drop(variable(json.bytes())),
            Self::Named([a, value, ..]) if a.bytes() != b"name" => {
                assert_eq!(variable(a.bytes()).as_deref(), Some(value.bytes()));
            }
            Self::Named(_) => {}
            Self::Listed(values) => {
                for (name, value) in [&b"1"[..], b"2", b"3"].iter().zip(values) {
                    assert_eq!(variable(name).as_deref(), Some(value.bytes()));
                }
                assert_eq!(variable(b"4").as_deref(), Some(&b"-1"[..]));
            }
        }
    }
}

/// NULL would be a parameter without a name.
fn named(name: &Text) -> Slice {
    match name.slice() {
        slice if slice.bytes.is_null() => Slice {
            bytes: c"".as_ptr(),
            len: 0,
        },
        slice => slice,
    }
}

fn whole(number: &Text) -> i64 {
    let bytes = number.bytes().first_chunk();
    i64::from_le_bytes(bytes.copied().unwrap_or_default())
}

/// `$event(name)`, a number as its text.
fn variable(name: &[u8]) -> Option<Vec<u8>> {
    let name = Slice {
        bytes: name.as_ptr().cast(),
        len: name.len(),
    };
    let (mut out, mut number) = (Slice::EMPTY, 0);
    match event::sipbus_event_variable(name, &raw mut out, &raw mut number) {
        1 => Some(text(out).to_vec()),
        2 => Some(number.to_string().into_bytes()),
        answer => {
            assert_eq!(answer, 0);
            None
        }
    }
}

/// What lies in all lanes, which are empty then.
fn payloads(stand: &Stand) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for frame in stand.taken("event_kafka") {
        payloads.push(
            frame::kafka::Publish::parse(&frame)
                .unwrap()
                .payload
                .to_vec(),
        );
    }
    for frame in stand.taken("nats") {
        payloads.push(
            frame::nats::Publish::parse(&frame)
                .unwrap()
                .payload
                .to_vec(),
        );
    }
    for frame in stand.taken("evapi") {
        let Some(frame::evapi::Order::Relay(_, data)) = frame::evapi::Order::parse(&frame) else {
            panic!("it is no message");
        };
        payloads.push(data.to_vec());
    }
    for frame in stand.taken("kazoo") {
        let Some(frame::kazoo::Order::Publish(publish)) = frame::kazoo::Order::parse(&frame) else {
            panic!("it is no publish");
        };
        payloads.push(publish.body.to_vec());
    }
    payloads
}
