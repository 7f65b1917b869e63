//! The tables of events and subscriptions, and what a process remembers of them.

use super::{event_kafka, instance};
use crate::clock::monotonic_seconds as now;
use crate::events::name;
use crate::events::socket::Socket;
use crate::host::{Level, event_route, log_of};
use crate::shm::registry::{Entry, Expiry, Place, Registry};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::io;

/// Lines of the table of events: how many are listed.
const EVENTS_MAX: usize = 1024;

/// Events remembered per process; beyond that the memory starts anew.
const KNOWN_MAX: usize = 4096;

/// The tables, in memory that all processes share.
#[derive(Debug)]
pub(super) struct Tables {
    /// Who wants which event.
    pub(super) subscriptions: Registry,
    /// Events that were named, as subscriptions of nobody.
    pub(super) events: Registry,
}

/// A subscription as a process remembers it.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) socket: Socket,
    pub(super) place: Place,
    /// 0 for no end.
    expires_at: u64,
}

/// An event as a process remembers it.
#[derive(Debug)]
pub(super) struct Known {
    /// Its line in the table of events, unless that is full.
    pub(super) place: Option<Place>,
    pub(super) route: Option<i32>,
    pub(super) subscribers: Vec<Subscriber>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Of the subscriptions.
    version: u64,
    events: HashMap<String, Known>,
}

thread_local! {
    static TABLES: OnceCell<&'static Tables> = const { OnceCell::new() };
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// Makes the tables. Before the forks.
pub(super) fn create(subscriptions_max: usize) -> io::Result<&'static Tables> {
    let tables = Box::leak(Box::new(Tables {
        subscriptions: Registry::create(subscriptions_max)?,
        events: Registry::create(EVENTS_MAX)?,
    }));
    TABLES.with(|cell| _ = cell.set(tables));
    Ok(tables)
}

/// The tables, once they were made.
pub(super) fn get() -> Option<&'static Tables> {
    TABLES.with(|cell| cell.get().copied())
}

impl Tables {
    /// Calls `body` with what there is to know about the event `name`.
    pub(super) fn with_known<T>(&self, name: &str, body: impl FnOnce(&Known) -> T) -> T {
        MEMORY.with_borrow_mut(|slot| {
            let memory = slot.get_or_insert_default();
            let version = self.subscriptions.version();
            if memory.version != version || memory.events.len() >= KNOWN_MAX {
                memory.version = version;
                memory.events.clear();
            }
            match memory.events.get(name) {
                Some(known) => body(known),
                None => {
                    let known = self.look_up(name);
                    let result = body(&known);
                    memory.events.insert(name.to_owned(), known);
                    result
                }
            }
        })
    }

    /// Notes that there is an event of that name.
    pub(super) fn name(&self, name: &str) -> Option<Place> {
        let bytes = name.as_bytes();
        let noted = self.events.place(bytes, b"", 0);
        noted.or_else(|| {
            let taken = self.events.subscribe(bytes, b"", Expiry::NEVER, 0);
            if taken.is_err() {
                let text =
                    format!("the event {name} is not listed: there are {EVENTS_MAX} already");
                log_of(event_kafka::NAME, Level::Warning, &text);
            }
            self.events.place(bytes, b"", 0)
        })
    }

    fn look_up(&self, name: &str) -> Known {
        let own = self.subscriptions.entries_of(name.as_bytes(), now());
        Known {
            place: self.name(name),
            route: name::routes(name).iter().find_map(|name| event_route(name)),
            subscribers: own.into_iter().filter_map(Subscriber::of).collect(),
        }
    }
}

impl Subscriber {
    fn of(entry: Entry) -> Option<Self> {
        let text = String::from_utf8(entry.socket).ok()?;
        Some(Self {
            socket: Socket::parse(&text).ok()?,
            place: entry.place,
            expires_at: entry.expiry.at,
        })
    }

    /// Whether it is still there.
    pub(super) fn is_there(&self) -> bool {
        self.expires_at == 0 || now() <= self.expires_at
    }
}

/// Says why `socket` cannot be used here.
pub(super) fn check_module(socket: &Socket) -> Result<(), String> {
    let module = socket.module();
    if instance::has(module) {
        Ok(())
    } else {
        Err(format!("\"{socket}\": the module {module} is not loaded"))
    }
}
