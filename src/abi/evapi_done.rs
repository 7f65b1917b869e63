//! What this process did with clients: events that were written before do not know it.

use crate::frame::evapi::Connection;
use crate::shm::layout::Row;
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// By index and generation, until their end.
    static DONE: RefCell<HashMap<u32, Done>> = RefCell::default();
}

#[derive(Default)]
pub(super) struct Done {
    generation: u64,
    /// With a NUL behind it, as texts for the host have; empty for none.
    pub(super) tag: Vec<u8>,
    /// The number of the order that gave it: events with a lower one have the tag before.
    pub(super) tag_order: u64,
    pub(super) closed: bool,
}

impl Done {
    pub(super) fn tag(&self) -> &[u8] {
        self.tag.split_last().map_or(&[], |(_, tag)| tag)
    }
}

/// Looks at what this process did with a client.
pub(super) fn done<T>(connection: &Connection, look: impl FnOnce(&Done) -> Option<T>) -> Option<T> {
    DONE.with_borrow(|all| {
        let done = all.get(&connection.index)?;
        (done.generation == connection.generation).then(|| look(done))?
    })
}

pub(super) fn note(connection: &Connection, change: impl FnOnce(&mut Done)) {
    DONE.with_borrow_mut(|all| {
        let done = all.entry(connection.index).or_default();
        if done.generation != connection.generation {
            *done = Done {
                generation: connection.generation,
                ..Done::default()
            };
        }
        change(done);
    });
}

/// True if this process gave that client that tag and nobody an order since; the engine may not have
/// heard of it yet.
pub(super) fn tagged_here(conidx: usize, row: &Row, tag: &[u8]) -> bool {
    let Ok(conidx) = u32::try_from(conidx) else {
        return false;
    };
    DONE.with_borrow(|all| {
        let done = all.get(&conidx);
        done.is_some_and(|done| {
            done.generation == row.generation.value()
                && done.tag_order == row.orders.value()
                && done.tag() == tag
        })
    })
}
