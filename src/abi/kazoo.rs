//! The kazoo module: its settings and `kazoo_publish`.

use super::guard::guard;
use super::instance::{self, Module};
use super::outbox::{Outbox, Slot};
use super::slice::{Slice, text, write_out};
use super::title::kept;
use crate::config::Value;
use crate::frame::kazoo::{Order, Publish, REPLY_OVERHEAD};
use crate::host::{Level, log};
use crate::kazoo::payload::{self, Identity, Outgoing};
use crate::kazoo::settings::Settings;
use crate::kazoo::subscription::Subscription;
use crate::kazoo::table::Table;
use crate::kazoo::{SHORT_BYTES_MAX, counter, target};
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{c_char, c_int};

/// The module's name.
pub(super) const NAME: &str = "kazoo";

/// Bytes of a routing key, and of what `kazoo_encode` takes, at the most.
pub const SIPBUS_KAZOO_SHORT_BYTES_MAX: u32 = 255;
const _: () = assert!(SIPBUS_KAZOO_SHORT_BYTES_MAX as usize == SHORT_BYTES_MAX);

/// What the shim needs of the settings. The texts live as long as the process.
#[repr(C)]
#[derive(Debug)]
pub struct KazooConfig {
    /// Not 0 if presence is written to a database.
    pub presence: c_int,
    /// That database, for Kamailio's database API.
    pub db_url: Slice,
    /// The table's name.
    pub presentity_table: Slice,
    /// How it is locked, by Kamailio's numbers.
    pub lock_type: c_int,
    /// The variable that holds the timeout of queries; empty for none.
    pub timeout_variable: Slice,
}

/// The settings, and what is made of them once.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) settings: Settings,
    pub(super) identity: Identity,
    db_url: String,
    /// What event_route[kazoo:mod-init] has subscribed to.
    subscriptions: OnceCell<Vec<Subscription>>,
}

impl Known {
    /// The subscriptions; none before they were made.
    pub(super) fn subscriptions(&self) -> &[Subscription] {
        self.subscriptions.get().map_or(&[], Vec::as_slice)
    }
}

thread_local! {
    static KNOWN: Cell<Option<&'static Known>> = const { Cell::new(None) };
    static OUTBOX: Slot = const { Slot::new(NAME) };
    static RANDOM: RefCell<Random> = const {
        RefCell::new(Random {
            process: None,
            bytes: [0; RANDOM_BYTES],
            used: 0,
        })
    };
}

/// The settings, once they were checked.
pub(super) fn known() -> Option<&'static Known> {
    KNOWN.get()
}

/// Checks all modparams of the module. `version` is Kamailio's. Logs every mistake; 0 if there was
/// none, else -1. Phase: mod_init. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_configure(version: *const c_char) -> c_int {
    guard("sipbus_kazoo_configure", -1, || {
        let given = instance::given(NAME);
        let settings = Settings::from_given(&given);
        let Some(settings) = instance::checked(NAME, settings) else {
            return -1;
        };
        let Ok(document) = serde_json::to_value(&settings) else {
            return -1;
        };
        if settings.presence.enabled && !settings.presence.has_database {
            log(
                Level::Warning,
                "kazoo: pua_mode = 1, but there is no db_url: the kazoo_pua_publish functions fail",
            );
        }
        let rows = Table::of(&settings).rows;
        instance::add(Module {
            name: NAME,
            inboxes: settings.workers,
            common: settings.common.clone(),
            counters: counter::COUNTERS,
            settings: document.into(),
            workers: (0..settings.workers).map(|n| n.to_string()).collect(),
            rows,
            mailbox_bytes: settings.reply_bytes_max + REPLY_OVERHEAD,
            listeners: Vec::new(),
        });
        let db_url = given.iter().filter(|(name, _)| *name == "db_url").last();
        let db_url = match db_url {
            Some((_, Value::Text(url))) => url.clone(),
            _ => String::new(),
        };
        let identity = settings.identity(&text(version).unwrap_or_default());
        let known = Box::leak(Box::new(Known {
            settings,
            identity,
            db_url,
            subscriptions: OnceCell::new(),
        }));
        KNOWN.set(Some(known));
        0
    })
}

/// Tells the shim what it needs of the settings: 0 with `out` filled, or -1.
/// Phase: after sipbus_kazoo_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_configured(out: *mut KazooConfig) -> c_int {
    guard("sipbus_kazoo_configured", -1, || {
        let Some(known) = known() else { return -1 };
        let presence = &known.settings.presence;
        let variable = known.settings.query_timeout_avp.as_deref();
        let config = KazooConfig {
            presence: c_int::from(presence.enabled && presence.has_database),
            db_url: Slice::of(known.db_url.as_bytes()),
            presentity_table: Slice::of(presence.table.as_bytes()),
            lock_type: c_int::from(presence.lock_type),
            timeout_variable: Slice::of(variable.unwrap_or_default().as_bytes()),
        };
        if write_out(out, config) { 0 } else { -1 }
    })
}

/// The title of event worker number `worker`, or NULL behind the last one. The text lives as long
/// as the process. Phase: after sipbus_kazoo_configure. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_worker_title(worker: u32) -> *const c_char {
    guard("sipbus_kazoo_worker_title", std::ptr::null(), || {
        let workers = known().map_or(0, |known| known.settings.workers);
        if worker as usize >= workers {
            return std::ptr::null();
        }
        kept(format!("kazoo worker: {worker}"))
    })
}

/// Completes the settings by what event_route[kazoo:mod-init] has subscribed to. False before they
/// were checked, and when they are complete.
pub(super) fn complete(subscriptions: Vec<Subscription>) -> bool {
    let Some(known) = known() else {
        return false;
    };
    let complete = Settings {
        subscriptions: subscriptions.clone(),
        ..known.settings.clone()
    };
    let Ok(document) = serde_json::to_value(&complete) else {
        return false;
    };
    if known.subscriptions.set(subscriptions).is_err() {
        return false;
    }
    instance::settings_replace(NAME, &document);
    true
}

/// `kazoo_publish(exchange, routing_key, json[, headers])`: 1 if the message was accepted, else -1,
/// counted by reason. Phase: any process, after sipbus_create. Blocks at most queue_full_wait_ms,
/// by the rule for full lanes (src/shm/lane.rs).
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_publish(
    process: u32,
    exchange: Slice,
    routing_key: Slice,
    json: Slice,
    headers: Slice,
) -> c_int {
    guard("kazoo_publish", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            let exchange = exchange.get();
            let servers = known().map_or(0, |known| known.settings.servers.len());
            let target = match target::parse(routing_key.get(), servers) {
                Ok(target) => target,
                Err(why) => {
                    outbox.invalid(&format!("the routing key: {why}"));
                    return -1;
                }
            };
            let Some(message) = outgoing(process, outbox, exchange, json.get()) else {
                return -1;
            };
            let publish = Publish {
                server: target.server,
                needs_server_id: message.needs_server_id,
                exchange,
                routing_key: target.key,
                body: &message.body,
                headers: headers.get(),
            };
            let submitted = Order::Publish(publish).write(|parts| outbox.submit(parts));
            if submitted == Ok(true) { 1 } else { -1 }
        })
    })
}

/// Counts a call whose arguments the shim could not use; `why` is logged. -1.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_kazoo_invalid", -1, || {
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.invalid(&text(why).unwrap_or_default());
            -1
        })
    })
}

/// The message `json`, completed. None if it cannot be sent, which was counted and logged then.
pub(super) fn outgoing(
    process: u32,
    outbox: &mut Outbox,
    exchange: &[u8],
    json: &[u8],
) -> Option<Outgoing> {
    if exchange.len() > SHORT_BYTES_MAX {
        outbox.invalid("the exchange's name is longer than 255 bytes");
        return None;
    }
    let message = payload::outgoing(json, &known()?.identity, || msg_id(process));
    match message {
        Ok(message) if outbox.accepts(message.body.len()) => Some(message),
        Ok(_) => None,
        Err(mistake) => {
            outbox.invalid(&format!("the payload: {mistake}"));
            None
        }
    }
}

/// As many as the kernel gives whole, whatever signal comes meanwhile (getrandom(2)).
const RANDOM_BYTES: usize = 256;

/// Random bytes for `Msg-ID`s, got from the kernel for many at a time.
struct Random {
    /// Whose they are: a forked process must not use its parent's.
    process: Option<u32>,
    bytes: [u8; RANDOM_BYTES],
    used: usize,
}

fn msg_id(process: u32) -> String {
    RANDOM.with_borrow_mut(|random| {
        if random.process != Some(process) || random.used + 16 > random.bytes.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            _ = rustix::rand::getrandom(&mut random.bytes, flags);
            random.process = Some(process);
            random.used = 0;
        }
        let start = random.used;
        random.used += 16;
        let bytes = random.bytes.get(start..).and_then(<[u8]>::first_chunk);
        payload::uuid(bytes.copied().unwrap_or_default())
    })
}

/// Calls `body` with the calling process's lane.
pub(super) fn with_outbox(process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
    OUTBOX.with(|slot| slot.with(process, body))
}
