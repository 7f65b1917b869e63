//! The peers of a connector that has several at a time, as Kamailio's processes see them.

use crate::shm::counter::Counter;
use crate::shm::layout::{Module, Row};
use std::time::{SystemTime, UNIX_EPOCH};

/// A module's table of peers.
#[derive(Debug)]
pub struct Roster {
    module: &'static Module,
    rows: Vec<&'static Row>,
}

/// What a line says about its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A number that is never given twice, above 0.
    pub generation: u64,
    /// In the connector's own numbers.
    pub state: u64,
    /// The peer's address.
    pub address: String,
    /// The peer's port.
    pub port: u16,
    /// What the script calls it.
    pub tag: Vec<u8>,
}

impl Roster {
    pub(super) fn new(module: &'static Module, rows: Vec<&'static Row>) -> Self {
        Self { module, rows }
    }

    /// How many lines it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if it has no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Fills line `index`.
    pub fn enter(&self, index: usize, entry: &Entry) {
        let Some(row) = self.rows.get(index) else {
            return;
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_secs());
        row.since.set(now);
        row.port.set(u64::from(entry.port));
        row.address.set(&entry.address);
        row.tag.set_bytes(&entry.tag);
        row.figures.iter().for_each(|figure| figure.set(0));
        row.orders.set(0);
        row.state.set(entry.state);
        row.generation.set(entry.generation);
    }

    /// Line `index`, if there is a peer in it; after a restart those of the engine before.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<Entry> {
        let row = self.rows.get(index)?;
        let generation = row.generation.value();
        if generation == 0 {
            return None;
        }
        let mut tag = Vec::new();
        row.tag.read(&mut tag);
        Some(Entry {
            generation,
            state: row.state.value(),
            address: row.address.value(),
            port: u16::try_from(row.port.value()).unwrap_or(0),
            tag,
        })
    }

    /// Whether there is a peer of this tag in line `index`, by this engine or the one before.
    #[must_use]
    pub fn is_tagged(&self, index: usize, tag: &[u8]) -> bool {
        let row = self.rows.get(index);
        row.is_some_and(|row| row.generation.value() != 0 && row.tag.holds(tag))
    }

    /// Empties line `index`.
    pub fn leave(&self, index: usize) {
        if let Some(row) = self.rows.get(index) {
            row.generation.set(0);
            row.state.set(0);
            row.tag.set("");
        }
    }

    /// Changes the state in line `index`.
    pub fn state(&self, index: usize, state: u64) {
        if let Some(row) = self.rows.get(index) {
            row.state.set(state);
        }
    }

    /// Changes the tag in line `index`.
    pub fn tag(&self, index: usize, tag: &[u8]) {
        if let Some(row) = self.rows.get(index) {
            row.tag.set_bytes(tag);
        }
    }

    /// Changes the address in line `index`.
    pub fn address(&self, index: usize, address: &str) {
        if let Some(row) = self.rows.get(index) {
            row.address.set(address);
        }
    }

    /// Replaces a figure of line `index`.
    pub fn figure(&self, index: usize, slot: usize, value: u64) {
        if let Some(figure) = self.rows.get(index).and_then(|row| row.figures.get(slot)) {
            figure.set(value);
        }
    }

    /// A figure of line `index`.
    #[must_use]
    pub fn figure_value(&self, index: usize, slot: usize) -> u64 {
        let figure = self.rows.get(index).and_then(|row| row.figures.get(slot));
        figure.map_or(0, Counter::value)
    }

    /// Says how many peers are there for everybody.
    pub fn peers(&self, count: usize) {
        self.module.peers.set(count as u64);
    }
}
