//! A Kamailio that has started: settings, region, one process. The engine is said to be there.

use super::calls::bytes;
use sipbus::abi::{Slice, evapi, event_kafka, event_subscribe, kafka, kazoo, lifecycle, nats};
use sipbus::host::raw::{sipbus_host, sipbus_report};
use sipbus::shm::inbox::InboxEnd;
use sipbus::shm::lane::LaneEnd;
use sipbus::shm::layout::Row;
use sipbus::shm::region::Region;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The calling process's number.
pub(super) const PROCESS: u32 = 1;

/// Places for subscriptions to events.
pub(super) const SUBSCRIPTIONS_MAX: usize = 4;

/// Bytes of a lane and of an inbox, and of the longest message.
const QUEUE_BYTES: i64 = 65_536;
const MESSAGE_BYTES_MAX: i64 = 30_000;

pub(super) const MODULES: [&CStr; 5] = [c"nats", c"evapi", c"kazoo", c"event_kafka", c"kafka"];

/// See the file.
pub(super) struct Stand {
    region: &'static Region,
    generation: Cell<u64>,
}

impl Stand {
    pub(super) fn start() -> Self {
        lifecycle::sipbus_host_set(c"nats".as_ptr(), &raw const HOST);
        place_engine();
        let socket = std::env::temp_dir().join(format!("sipbus-fuzz-{}", std::process::id()));
        settings(&socket);
        assert_eq!(nats::sipbus_nats_configure(1), 0);
        assert_eq!(evapi::sipbus_evapi_configure(1), 0);
        assert_eq!(kazoo::sipbus_kazoo_configure(c"5.6".as_ptr()), 0);
        assert_eq!(event_kafka::sipbus_event_kafka_configure(1), 0);
        assert_eq!(kafka::sipbus_kafka_configure(1), 0);
        assert_eq!(lifecycle::sipbus_supervisor_claim(), 1);
        assert_eq!(lifecycle::sipbus_create(PROCESS + 1), 0);
        assert_eq!(event_subscribe::sipbus_events_create(), 0);
        assert!(socket.exists());
        evapi::sipbus_evapi_destroy();
        assert!(!socket.exists());
        let stand = Self {
            region: opened(),
            generation: Cell::new(0),
        };
        stand.region.head().engine.pid.set(1);
        for module in ["kazoo", "evapi"] {
            stand.region.module(stand.module(module)).peers.set(1);
        }
        stand
    }

    fn module(&self, name: &str) -> usize {
        let mut plans = self.region.plan().modules.iter();
        plans.position(|plan| plan.name == name).unwrap()
    }

    /// What lies in a module's lane, which is empty then.
    pub(super) fn taken(&self, name: &str) -> Vec<Vec<u8>> {
        let mut lane = LaneEnd::attach(self.region, self.module(name), PROCESS as usize).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = lane.take().expect("only the library writes there") {
            frames.push(frame.to_vec());
        }
        lane.release(lane.cursor());
        frames
    }

    /// The one frame of a call that was accepted; none of one that was not.
    pub(super) fn accepted(&self, name: &str, answer: c_int) -> Option<Vec<u8>> {
        let mut frames = self.taken(name);
        assert_eq!(frames.len(), usize::from(answer == 1));
        frames.pop()
    }

    /// Puts a frame into the inbox of a module's first worker. True if there was room.
    pub(super) fn put(&self, name: &str, parts: &[&[u8]]) -> bool {
        let mut inbox = InboxEnd::attach(self.region, self.module(name), 0).unwrap();
        let fits = inbox.stage(parts).is_ok();
        if fits {
            inbox.deliver();
        }
        fits
    }

    /// Answers the next question about a module's certificates.
    pub(super) fn answer(&self, module: &str, mistake: &str) {
        let renewal = &self.region.module(self.module(module)).renewal;
        let number = renewal.ask();
        renewal.answer(number.wrapping_add(1), mistake);
    }

    /// A number that no other peer has.
    pub(super) fn generation(&self) -> u64 {
        self.generation.update(|generation| generation + 1);
        self.generation.get()
    }

    /// The line of a peer.
    pub(super) fn row(&self, module: &str, number: usize) -> Option<&'static Row> {
        self.region.row(self.module(module), number)
    }
}

/// A start looks for the engine beside the program, and asks it about properties of Kafka's: this
/// one has nothing against them.
fn place_engine() {
    let program = std::env::current_exe().unwrap();
    let engine = program.with_file_name("sipbus-engine");
    let own = program.with_file_name(format!("sipbus-engine.{}", std::process::id()));
    std::fs::write(&own, "#!/bin/sh\nexec /bin/cat > /dev/null\n").unwrap();
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(own, engine).unwrap();
}

fn settings(socket: &Path) {
    let bind = format!("unix:{}", socket.display());
    for (module, name, value) in [
        ("nats", "subject_queue_group", "in.>:group"),
        ("evapi", "bind_addr", bind.as_str()),
        ("kazoo", "node_hostname", "host"),
        ("kazoo", "amqp_connection", "amqp://host"),
        ("event_kafka", "broker_id", "[a]host:1/first"),
        ("event_kafka", "broker_id", "[b]host:1,host:2/second"),
        ("event_kafka", "consume", "brokers=host:1;group=g;topics=in"),
        ("event_kafka", "event_subscription", "kept nats:kept"),
        ("kafka", "brokers", "host:1"),
        ("kafka", "topic", "name=first"),
        ("kafka", "topic", "name=second;acks=1"),
    ] {
        let [module, name, value] = [module, name, value].map(|text| CString::new(text).unwrap());
        lifecycle::sipbus_setting_text(module.as_ptr(), name.as_ptr(), value.as_ptr());
    }
    for module in MODULES {
        for (name, value) in [
            (c"queue_size", QUEUE_BYTES),
            (c"inbox_size", QUEUE_BYTES),
            (c"message_size_max", MESSAGE_BYTES_MAX),
            (c"queue_full_wait_ms", 0),
        ] {
            lifecycle::sipbus_setting_number(module.as_ptr(), name.as_ptr(), value);
        }
    }
    let number = |module: &CStr, name: &CStr, value| {
        lifecycle::sipbus_setting_number(module.as_ptr(), name.as_ptr(), value);
    };
    number(c"evapi", c"frame_size_max", MESSAGE_BYTES_MAX);
    let places = i64::try_from(SUBSCRIPTIONS_MAX).unwrap();
    number(c"event_kafka", c"event_subscriptions_max", places);
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
        // The tables of events are no region.
        let Ok(region) = Region::open(OwnedFd::from(file.unwrap())) else {
            continue;
        };
        let names = region.plan().modules.iter().map(|plan| plan.name.as_str());
        if names.eq(MODULES.iter().map(|name| name.to_str().unwrap())) {
            return region;
        }
    }
    panic!("there is no region");
}

static HOST: sipbus_host = sipbus_host {
    log: Some(on_log),
    event_route: Some(on_event_route),
    event_route_each: None,
};

unsafe extern "C" fn on_log(_level: i32, text: *const c_char, len: usize) {
    let text = bytes(Slice { bytes: text, len });
    let text = std::str::from_utf8(text).expect("log lines are UTF-8");
    // A module says what a script gave; a function says what went wrong in it.
    let (who, said) = text.split_once(": ").unwrap_or(("", text));
    let is_module = MODULES.iter().any(|name| name.to_bytes() == who.as_bytes());
    assert!(is_module || !said.starts_with("a bug in sipbus,"), "{text}");
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

/// Has a call write its report, which must be well-formed, and returns what it answered.
pub(super) fn reported(call: impl FnOnce(*const sipbus_report) -> c_int) -> c_int {
    let mut depth = 0_i32;
    let report = sipbus_report {
        context: (&raw mut depth).cast(),
        open: Some(on_open),
        close: Some(on_close),
        text: Some(on_text),
        number: Some(on_number),
    };
    let answer = call(&raw const report);
    assert_eq!(depth, 0);
    answer
}

unsafe extern "C" fn on_open(depth: *mut c_void, name: *const c_char, _is_list: i32) {
    named(name);
    // SAFETY: it is what `reported` gave.
    unsafe { *depth.cast::<i32>() += 1 }
}

unsafe extern "C" fn on_close(depth: *mut c_void) {
    // SAFETY: it is what `reported` gave.
    let depth = unsafe { &mut *depth.cast::<i32>() };
    *depth -= 1;
    assert!(*depth >= 0);
}

unsafe extern "C" fn on_text(
    _depth: *mut c_void,
    name: *const c_char,
    text: *const c_char,
    len: usize,
) {
    named(name);
    let text = bytes(Slice { bytes: text, len });
    assert!(std::str::from_utf8(text).is_ok());
}

unsafe extern "C" fn on_number(_depth: *mut c_void, name: *const c_char, _number: u64) {
    named(name);
}

fn named(name: *const c_char) {
    // SAFETY: the library's names end with a NUL.
    let name = unsafe { CStr::from_ptr(name) };
    assert!(name.to_str().is_ok());
}
