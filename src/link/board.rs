//! What a connector tells operators.

use crate::module::State;
use crate::shm::counter::Counter;
use crate::shm::layout::Module;
use std::time::{SystemTime, UNIX_EPOCH};

/// A module's board in the region.
#[derive(Debug)]
pub struct Board {
    module: &'static Module,
}

impl Board {
    pub(super) fn new(module: &'static Module) -> Self {
        let board = Self { module };
        if module.since.value() == 0 {
            board.enter(State::Disconnected);
        }
        board
    }

    /// Enters `state`, as of now.
    pub fn enter(&self, state: State) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_secs());
        self.module.since.set(now);
        self.module.state.set(state as u64);
    }

    /// The state entered last, by this engine or the one before.
    #[must_use]
    pub fn state(&self) -> State {
        State::from_number(self.module.state.value())
    }

    /// The peer in use; empty for none.
    pub fn server(&self, server: &str) {
        self.module.server.set(server);
    }

    /// What went wrong last. No secrets.
    pub fn error(&self, error: &str) {
        self.module.error.set(error);
    }

    /// The largest message the peer takes; Kamailio's processes refuse larger ones from now on.
    pub fn message_bytes_max(&self, bytes: usize) {
        self.module.message_bytes_max.set(bytes as u64);
    }

    /// Notes that `state` was told to the script.
    pub fn announce(&self, state: State) {
        self.module.announced.set(state as u64);
    }

    /// What was told last, by this engine or the one before.
    #[must_use]
    pub fn announced(&self) -> State {
        State::from_number(self.module.announced.value())
    }

    /// Adds to a counter of the connector.
    pub fn count(&self, slot: usize, n: u64) {
        if let Some(counter) = self.module.counters.get(slot) {
            counter.add(n);
        }
    }

    /// Adds one to a counter of the connector and returns what it is then: a number that no engine
    /// of this Kamailio gets twice.
    #[must_use]
    pub fn number(&self, slot: usize) -> u64 {
        self.count(slot, 1);
        self.module.counters.get(slot).map_or(0, Counter::value)
    }
}
