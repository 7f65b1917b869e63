//! What one Kamailio has: before the forks the settings, after them the region and the doorbells.

use crate::config::{Common, Given, Value};
use crate::engine_document::Document;
use crate::host::{Level, log_of};
use crate::module::Counter;
use crate::shm::layout::ModulePlan;
use crate::shm::region::Region;
use crate::shm::waker::Waker;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A module whose settings were checked.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    pub(super) inboxes: usize,
    pub(super) common: Common,
    pub(super) counters: &'static [Counter],
    /// What the connector gets; may change until the supervisor starts.
    pub(super) settings: RefCell<serde_json::Value>,
    /// Titles of the event workers, for reports.
    pub(super) workers: Vec<String>,
    /// Lines of its table of peers.
    pub(super) rows: usize,
    /// Bytes of each process's mailbox; 0 for none.
    pub(super) mailbox_bytes: usize,
    /// Its listening sockets, each with the number of its setting. They stay open over restarts of
    /// the engine, so nobody is refused meanwhile.
    pub(super) listeners: Vec<(usize, OwnedFd)>,
}

/// The running whole, the same in every process.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) region: &'static Region,
    pub(super) modules: Vec<Module>,
    /// By module.
    pub(super) wakers: Vec<&'static Waker>,
}

thread_local! {
    static GIVEN: RefCell<BTreeMap<String, Given>> = const { RefCell::new(BTreeMap::new()) };
    static CONFIGURED: RefCell<Vec<Module>> = const { RefCell::new(Vec::new()) };
    static INSTANCE: OnceCell<&'static Instance> = const { OnceCell::new() };
    static SUPERVISED: Cell<bool> = const { Cell::new(false) };
}

/// Notes a line of the configuration.
pub(super) fn give(module: &str, name: &str, value: Value) {
    GIVEN.with_borrow_mut(|given| given.entry(module.to_owned()).or_default().add(name, value));
}

/// The lines noted for `module`.
pub(super) fn given(module: &str) -> Given {
    GIVEN.with_borrow(|given| given.get(module).cloned().unwrap_or_default())
}

/// What was checked of `module`'s settings; nothing where there were mistakes, each of which is logged.
pub(super) fn checked<T>(module: &str, outcome: Result<T, Vec<String>>) -> Option<T> {
    let told = |mistakes: Vec<String>| {
        for mistake in mistakes {
            log_of(
                module,
                Level::Error,
                &format!("modparam {module}: {mistake}"),
            );
        }
    };
    outcome.map_err(told).ok()
}

/// Adds a module to the whole.
pub(super) fn add(module: Module) {
    CONFIGURED.with_borrow_mut(|modules| {
        modules.retain(|other| other.name != module.name);
        modules.push(module);
    });
}

/// True if a module of that name was configured.
pub(super) fn has(name: &str) -> bool {
    CONFIGURED.with_borrow(|modules| modules.iter().any(|module| module.name == name))
        || get().is_some_and(|instance| instance.index(name).is_some())
}

/// Replaces what the connector of module `name` gets. The supervisor must not have started yet.
pub(super) fn settings_replace(name: &str, settings: &serde_json::Value) {
    let replace = |modules: &[Module]| {
        for module in modules.iter().filter(|module| module.name == name) {
            module.settings.replace(settings.clone());
        }
    };
    match get() {
        Some(instance) => replace(&instance.modules),
        None => CONFIGURED.with_borrow(|modules| replace(modules)),
    }
}

/// True for the first caller.
pub(super) fn claim_supervisor() -> bool {
    !SUPERVISED.replace(true)
}

/// Makes the region. Does nothing when it is there.
pub(super) fn create(processes: usize) -> io::Result<()> {
    if get().is_some() {
        return Ok(());
    }
    let modules = CONFIGURED.take();
    let plans = modules.iter().map(|module| ModulePlan {
        name: module.name.to_owned(),
        lane_bytes: module.common.queue_bytes,
        inbox_bytes: module.common.inbox_bytes,
        inboxes: module.inboxes,
        rows: module.rows,
        mailbox_bytes: module.mailbox_bytes,
    });
    let region = Region::create(processes, plans.collect())?;
    let mut wakers = Vec::new();
    for _ in &modules {
        let waker: &'static Waker = Box::leak(Box::new(Waker::new()?));
        wakers.push(waker);
    }
    let instance = Box::leak(Box::new(Instance {
        region,
        modules,
        wakers,
    }));
    INSTANCE.with(|cell| _ = cell.set(instance));
    Ok(())
}

/// The whole, once it was created.
pub(super) fn get() -> Option<&'static Instance> {
    INSTANCE.with(|cell| cell.get().copied())
}

impl Instance {
    /// The index of a module.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.name == name)
    }

    /// What the engine gets to know.
    pub(super) fn document(&self) -> Document {
        let settings = |module: &Module| (module.name.to_owned(), module.settings.borrow().clone());
        Document {
            drain_timeout_ms: self.drain_timeout_ms(),
            modules: self.modules.iter().map(settings).collect(),
        }
    }

    /// All listening sockets: module, number of the setting, descriptor.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (&str, usize, BorrowedFd<'_>)> {
        self.modules.iter().flat_map(|module| {
            let own = module.listeners.iter();
            own.map(|(setting, fd)| (module.name, *setting, fd.as_fd()))
        })
    }

    /// The longest that a stop waits for accepted messages, in milliseconds.
    pub(super) fn drain_timeout_ms(&self) -> u64 {
        self.modules
            .iter()
            .map(|m| m.common.drain_timeout_ms)
            .max()
            .unwrap_or(0)
    }
}
