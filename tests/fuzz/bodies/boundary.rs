//! The C boundary, called as shims call it, with texts of any bytes and lengths.
#![allow(unsafe_code, reason = "the other side of the C boundary")]

use sipbus::abi::Slice;
use sipbus::abi::{evapi, evapi_event, kazoo, kazoo_event, kazoo_json, kazoo_presence};
use sipbus::abi::{kazoo_query, kazoo_subscribe, lifecycle, nats, nats_event};
use sipbus::frame;
use sipbus::host::raw::sipbus_host;
use sipbus::kazoo::json;
use sipbus::shm::inbox::InboxEnd;
use sipbus::shm::lane::LaneEnd;
use sipbus::shm::region::Region;
use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::OwnedFd;

/// The calling process's number, and the event worker's.
const PROCESS: u32 = 1;

/// More than any limit in the settings below.
const LARGE: usize = 100_000;

/// Calls, each a byte that says which, and its texts. What was accepted lies in the lane as it was
/// given; what lies in an inbox comes out as it was put there.
pub(crate) fn boundary(input: &[u8]) {
    let region = REGION.with(|region| *region);
    let mut calls = Calls { rest: input };
    while let Some(call) = calls.byte() {
        match call % 10 {
            0 => publish_nats(region, &mut calls),
            1 => publish_kazoo(region, &mut calls),
            2 => query(region, &mut calls),
            3 => look(&mut calls),
            4 => encode(&mut calls),
            5 => subscribe(&mut calls),
            6 => presence(&mut calls),
            7 => relay(region, &mut calls),
            8 => event_nats(region, &mut calls),
            _ => event_kazoo(region, &mut calls),
        }
    }
}

thread_local! {
    static REGION: &'static Region = start();
}

/// A Kamailio that has started: settings, region, one process. The engine is said to be there.
fn start() -> &'static Region {
    lifecycle::sipbus_host_set(&raw const HOST);
    // A start looks for the engine there; nobody runs it here.
    let engine = std::env::current_exe().unwrap();
    let engine = engine.with_file_name("sipbus-engine");
    if !engine.exists() {
        std::os::unix::fs::symlink("/proc/self/exe", engine).unwrap();
    }
    let socket = std::env::temp_dir().join(format!("sipbus-fuzz-{}", std::process::id()));
    let bind = format!("unix:{}", socket.display());
    for (module, name, value) in [
        ("nats", "subject_queue_group", "in.>:group"),
        ("evapi", "bind_addr", bind.as_str()),
        ("kazoo", "node_hostname", "host"),
        ("kazoo", "amqp_connection", "amqp://host"),
    ] {
        let [module, name, value] = [module, name, value].map(|text| CString::new(text).unwrap());
        lifecycle::sipbus_setting_text(module.as_ptr(), name.as_ptr(), value.as_ptr());
    }
    for module in [c"nats", c"evapi", c"kazoo"] {
        for (name, value) in [
            (c"queue_size", 65_536),
            (c"inbox_size", 65_536),
            (c"message_size_max", 30_000),
            (c"queue_full_wait_ms", 0),
        ] {
            lifecycle::sipbus_setting_number(module.as_ptr(), name.as_ptr(), value);
        }
    }
    lifecycle::sipbus_setting_number(c"evapi".as_ptr(), c"frame_size_max".as_ptr(), 30_000);
    assert_eq!(nats::sipbus_nats_configure(1), 0);
    assert_eq!(evapi::sipbus_evapi_configure(1), 0);
    assert_eq!(kazoo::sipbus_kazoo_configure(c"5.6".as_ptr()), 0);
    assert_eq!(lifecycle::sipbus_create(PROCESS + 1), 0);
    std::fs::remove_file(socket).unwrap();
    let region = opened();
    region.head().engine.pid.set(1);
    region.module(module(region, "kazoo")).peers.set(1);
    region
}

/// The region that was created, mapped once more, as the engine does it.
fn opened() -> &'static Region {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let is_region = std::fs::read_link(&path).is_ok_and(|name| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with("/memfd:sipbus ")
        });
        if !is_region {
            continue;
        }
        let file = std::fs::File::options().read(true).write(true).open(&path);
        let region = Region::open(OwnedFd::from(file.unwrap())).unwrap();
        let names = region.plan().modules.iter().map(|plan| plan.name.as_str());
        if names.eq(["nats", "evapi", "kazoo"]) {
            return region;
        }
    }
    panic!("there is no region");
}

fn module(region: &Region, name: &str) -> usize {
    let mut plans = region.plan().modules.iter();
    plans.position(|plan| plan.name == name).unwrap()
}

static HOST: sipbus_host = sipbus_host {
    log: Some(on_log),
    event_route: Some(on_event_route),
    event_route_each: None,
};

unsafe extern "C" fn on_log(_level: i32, text: *const c_char, len: usize) {
    let text = bytes(Slice { bytes: text, len });
    let text = std::str::from_utf8(text).expect("log lines are UTF-8");
    let said = text.split_once(": ").map_or(text, |(_, said)| said);
    assert!(!said.starts_with("a bug in sipbus,"), "{text}");
    assert!(
        !text.contains(char::is_control),
        "more than a line: {text:?}"
    );
}

unsafe extern "C" fn on_event_route(name: *const c_char) -> i32 {
    // SAFETY: the library's names end with a NUL.
    let name = unsafe { CStr::from_ptr(name) };
    if name.count_bytes() % 2 == 0 { 7 } else { -1 }
}

/// What a call answered with.
fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.bytes.is_null() {
        assert_eq!(slice.len, 0);
        return &[];
    }
    // SAFETY: the library's answers are readable until the next call.
    unsafe { std::slice::from_raw_parts(slice.bytes.cast(), slice.len) }
}

/// As [`bytes`], of an answer behind which a NUL is promised.
fn text<'a>(slice: Slice) -> &'a [u8] {
    let longer = Slice {
        bytes: slice.bytes,
        len: slice.len + 1,
    };
    assert_eq!(bytes(longer).last(), Some(&0));
    bytes(slice)
}

/// Reads calls from the input.
struct Calls<'a> {
    rest: &'a [u8],
}

/// A text for a call, in memory of exactly its size.
struct Text(Option<Box<[u8]>>);

impl Text {
    fn slice(&self) -> Slice {
        let bytes = self.0.as_deref();
        Slice {
            bytes: bytes.map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast()),
            len: bytes.map_or(0, <[u8]>::len),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Calls<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// A byte that says how long, then the text; NULL and large ones too.
    fn text(&mut self) -> Text {
        let bytes = match self.byte().unwrap_or(0) {
            255 => return Text(None),
            254 => vec![b'a'; LARGE],
            253 => vec![b'b'; 256],
            252 => std::mem::take(&mut self.rest).to_vec(),
            len => {
                let (text, rest) = self.rest.split_at(self.rest.len().min(len.into()));
                self.rest = rest;
                text.to_vec()
            }
        };
        Text(Some(bytes.into()))
    }

    fn texts<const N: usize>(&mut self) -> [Text; N] {
        std::array::from_fn(|_| self.text())
    }
}

/// What lies in a module's lane, which is empty then.
fn taken(region: &'static Region, name: &str) -> Vec<Vec<u8>> {
    let mut lane = LaneEnd::attach(region, module(region, name), PROCESS as usize).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = lane.take().expect("only the library writes there") {
        frames.push(frame.to_vec());
    }
    lane.release(lane.cursor());
    frames
}

/// The one frame of a call that was accepted; none of one that was not.
fn accepted(region: &'static Region, name: &str, answer: c_int) -> Option<Vec<u8>> {
    let mut frames = taken(region, name);
    assert_eq!(frames.len(), usize::from(answer == 1));
    frames.pop()
}

fn publish_nats(region: &'static Region, calls: &mut Calls<'_>) {
    let [subject, payload, reply] = calls.texts();
    let answer = nats::nats_publish(PROCESS, subject.slice(), payload.slice(), reply.slice());
    if let Some(frame) = accepted(region, "nats", answer) {
        let publish = frame::nats::Publish::parse(&frame).unwrap();
        assert_eq!(publish.subject, subject.bytes());
        assert_eq!(publish.payload, payload.bytes());
        assert_eq!(publish.reply, reply.bytes());
    }
}

fn publish_kazoo(region: &'static Region, calls: &mut Calls<'_>) {
    let [exchange, key, json, headers] = calls.texts();
    let slices = [exchange.slice(), key.slice(), json.slice(), headers.slice()];
    let [a, b, c, d] = slices;
    let answer = kazoo::kazoo_publish(PROCESS, a, b, c, d);
    if let Some(frame) = accepted(region, "kazoo", answer) {
        let Some(frame::kazoo::Order::Publish(publish)) = frame::kazoo::Order::parse(&frame) else {
            panic!("it is no publish");
        };
        assert_eq!(publish.exchange, exchange.bytes());
        assert!(key.bytes().ends_with(publish.routing_key));
        assert_eq!(publish.headers, headers.bytes());
        assert!(json::parse(publish.body).is_ok_and(|body| body.get("Msg-ID").is_some()));
    }
}

fn query(region: &'static Region, calls: &mut Calls<'_>) {
    let [exchange, key, json, headers] = calls.texts();
    let slices = [exchange.slice(), key.slice(), json.slice(), headers.slice()];
    let [a, b, c, d] = slices;
    if kazoo_query::sipbus_kazoo_query_prepare(PROCESS, a, b, c, d) != 1 {
        return assert_eq!(kazoo_query::kazoo_query(PROCESS, 1), -1);
    }
    let answer = kazoo_query::kazoo_async_query(PROCESS, 1000, 1, 2, 3, 4);
    if let Some(frame) = accepted(region, "kazoo", answer) {
        let Some(frame::kazoo::Order::Query(query)) = frame::kazoo::Order::parse(&frame) else {
            panic!("it is no query");
        };
        assert_eq!(query.exchange, exchange.bytes());
        assert_eq!(query.routing_key, key.bytes());
        assert_eq!(query.headers, headers.bytes());
        let body = json::parse(query.body).unwrap();
        assert!(body.get("Msg-ID").is_some());
    }
    let mut result = Slice::EMPTY;
    assert_eq!(kazoo_query::kazoo_result(&raw mut result), 0);
}

fn look(calls: &mut Calls<'_>) {
    let [path, json] = calls.texts();
    let mut out = Slice::EMPTY;
    let found = kazoo_json::kazoo_json(json.slice(), path.slice(), &raw mut out);
    match found {
        1 => _ = text(out),
        _ => assert!(bytes(out).is_empty()),
    }
    assert!(kazoo_json::kazoo_json_count(json.slice(), path.slice()) >= 0);
    let keys = kazoo_json::kazoo_json_keys(json.slice(), path.slice());
    assert_eq!(keys < 0, found < 0);
    for index in 0..u32::try_from(keys).unwrap_or(0) {
        assert_eq!(kazoo_json::kazoo_json_key(index, &raw mut out), 1);
        text(out);
    }
    let behind = u32::try_from(keys).unwrap_or(0);
    assert_eq!(kazoo_json::kazoo_json_key(behind, &raw mut out), 0);
}

fn encode(calls: &mut Calls<'_>) {
    let word = calls.text();
    let mut out = Slice::EMPTY;
    assert_eq!(kazoo_json::kazoo_encode(word.slice(), &raw mut out), 1);
    let mut encoded = Vec::new();
    sipbus::kazoo::encode::encode(word.bytes(), &mut encoded);
    assert_eq!(text(out), encoded);
}

fn subscribe(calls: &mut Calls<'_>) {
    let [a, b, c, d] = calls.texts();
    assert_eq!(kazoo_subscribe::kazoo_subscribe(a.slice()), -1);
    kazoo_subscribe::sipbus_kazoo_start();
    let json = kazoo_subscribe::kazoo_subscribe(a.slice());
    let slices = [a.slice(), b.slice(), c.slice(), d.slice()];
    let [a, b, c, d] = slices;
    let simple = kazoo_subscribe::kazoo_subscribe_simple(a, b, c, d);
    assert!([json, simple].iter().all(|answer| [1, -1].contains(answer)));
    // What was subscribed to is forgotten: settings that are completed live as long as the process.
    kazoo_subscribe::sipbus_kazoo_start();
    assert_eq!(kazoo_subscribe::kazoo_subscribe(Slice::EMPTY), -1);
    assert_eq!(kazoo_subscribe::sipbus_kazoo_started(), -1);
}

fn presence(calls: &mut Calls<'_>) {
    let kind = u32::from(calls.byte().unwrap_or(0) % 5);
    let json = calls.text();
    let empty = Slice::EMPTY;
    let mut row = kazoo_presence::KazooRow {
        event: empty,
        domain: empty,
        username: empty,
        etag: empty,
        sender: empty,
        body: empty,
        expires: 0,
        reset: 0,
    };
    if kazoo_presence::sipbus_kazoo_presence(kind, json.slice(), &raw mut row) == 1 {
        let keys = [row.domain, row.username, row.etag, row.sender, row.body];
        keys.into_iter().for_each(|key| _ = bytes(key));
        assert!(!bytes(row.event).is_empty() && row.reset <= 3);
    }
}

fn relay(region: &'static Region, calls: &mut Calls<'_>) {
    use frame::evapi::{Order, To};
    let how = calls.byte().unwrap_or(0) % 3;
    let [data, tag] = calls.texts();
    let (to, answer) = match how {
        0 => (To::All, evapi::evapi_relay(PROCESS, data.slice())),
        1 => (
            To::Tagged(tag.bytes()),
            evapi::evapi_multicast(PROCESS, data.slice(), tag.slice()),
        ),
        _ => (
            To::First(tag.bytes()),
            evapi::evapi_unicast(PROCESS, data.slice(), tag.slice()),
        ),
    };
    if let Some(frame) = accepted(region, "evapi", answer) {
        assert_eq!(Order::parse(&frame), Some(Order::Relay(to, data.bytes())));
    }
    assert_eq!(evapi_event::evapi_set_tag(PROCESS, tag.slice()), -1);
}

/// Puts a frame into the inbox of a module's first worker.
fn put(region: &'static Region, name: &str, parts: &[&[u8]]) {
    let mut inbox = InboxEnd::attach(region, module(region, name), 0).unwrap();
    if inbox.stage(parts).is_ok() {
        inbox.deliver();
    }
}

fn event_nats(region: &'static Region, calls: &mut Calls<'_>) {
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
        put(region, "nats", &[garbage.bytes()]);
    }
    put(region, "nats", &[header.bytes(), a, b, c, d, b"\0"]);
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

fn event_kazoo(region: &'static Region, calls: &mut Calls<'_>) {
    use frame::kazoo::{Arrived, Event};
    let [garbage, key, body] = calls.texts();
    if key.bytes().len().max(body.bytes().len()) >= 30_000 {
        return;
    }
    if Event::parse(garbage.bytes()).is_none() {
        put(region, "kazoo", &[garbage.bytes()]);
    }
    let message = |body| Event::Message {
        subscription: u16::MAX,
        routing_key: key.bytes(),
        message: Arrived {
            server: 1,
            received: 7,
            body,
        },
    };
    let sound = json::parse(body.bytes()).is_ok_and(|body| body.object().is_some());
    _ = message(body.bytes()).write(|parts| put(region, "kazoo", parts));
    if !sound {
        // It is passed over.
        _ = message(b"{}").write(|parts| put(region, "kazoo", parts));
    }
    let mut event = kazoo_event::KazooEvent {
        resume: 0,
        tindex: 0,
        tlabel: 0,
        route: 0,
        name: std::ptr::null(),
    };
    let answer = kazoo_event::sipbus_kazoo_event_wait(0, &raw mut event);
    assert_eq!((answer, event.resume), (1, 0));
    let mut out = Slice::EMPTY;
    assert_eq!(kazoo_event::kazoo_event_payload(&raw mut out), 1);
    let payload = json::parse(text(out)).unwrap();
    assert!(payload.get("AMQP-Received").is_some());
    assert_eq!(kazoo_event::kazoo_event_routing_key(&raw mut out), 1);
    assert_eq!(bytes(out), key.bytes());
    kazoo_event::sipbus_kazoo_event_done(PROCESS, 1);
}
