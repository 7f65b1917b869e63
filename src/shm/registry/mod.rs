//! Who wants which event: a bounded table that every process of one Kamailio reads and writes
//! without a lock.
//!
//! It is memory of its own, made before the forks, not part of the region: the engine has nothing
//! to do with it. A line is claimed by a compare-and-swap, written, and shown by one store; a
//! reader that was overtaken by a writer throws its copy away. A process that is killed while it
//! writes leaves that one line unusable, and ends the Kamailio it belongs to.

mod entry;
mod row;

pub use entry::{Entry, Expiry, Place, Refusal, count};
pub use row::{COUNTS, EVENT_BYTES, SOCKET_BYTES};

use crate::primitive::{AtomicU64, Ordering, fence};
use row::{Row, Word};
use std::collections::HashSet;

/// The head of the shared memory. Valid when zeroed.
#[repr(C, align(64))]
#[derive(Debug)]
struct Head {
    /// Counts changes.
    version: AtomicU64,
    /// Lines that were ever used.
    used: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub struct Registry {
    head: &'static Head,
    rows: &'static [Row],
}

impl Registry {
    /// Makes a table of `rows` lines, for this process and those it forks from now on.
    ///
    /// # Errors
    /// The system's, when memory is short.
    #[cfg(not(sipbus_loom))]
    pub fn create(rows: usize) -> std::io::Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let bytes = size_of::<Head>() + rows * size_of::<Row>();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a free range, which is never unmapped.
        let base =
            unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, MapFlags::SHARED)? };
        // SAFETY: mapped for good, aligned to a page, zeroed; atomics only, valid for any bits.
        let head: &'static Head = unsafe { &*base.cast::<Head>() };
        // SAFETY: inside the mapping; the head's size is a multiple of the lines' alignment.
        let first = unsafe { base.byte_add(size_of::<Head>()) }.cast::<Row>();
        // SAFETY: as the head; `rows` lines fit behind it.
        let rows: &'static [Row] = unsafe { std::slice::from_raw_parts(first, rows) };
        Ok(Self { head, rows })
    }

    /// A table for the model.
    #[cfg(sipbus_loom)]
    #[must_use]
    pub fn model(rows: usize) -> Self {
        let (version, used) = (AtomicU64::new(0), AtomicU64::new(0));
        let rows: Vec<Row> = (0..rows).map(|_| Row::model()).collect();
        Self {
            head: Box::leak(Box::new(Head { version, used })),
            rows: rows.leak(),
        }
    }

    /// A number that changes with every change: what was read at the same number is still so, but
    /// for what expired.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.head.version.load(Ordering::Acquire)
    }

    /// Subscribes `socket` to `event` at time `now`; a subscription that is there gets the new
    /// expiry instead. True if it is new.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn subscribe(
        &self,
        event: &[u8],
        socket: &[u8],
        expiry: Expiry,
        now: u64,
    ) -> Result<bool, Refusal> {
        if event.len() > EVENT_BYTES || socket.len() > SOCKET_BYTES {
            return Err(Refusal::TooLong);
        }
        // Every further round means that another process has changed something.
        let is_new = loop {
            if let Some((row, word)) = self.find(event, socket, now, 0) {
                if row.refresh(word, expiry.at) {
                    row.seconds.store(expiry.seconds, Ordering::Relaxed);
                    break false;
                }
                continue;
            }
            let Some((index, row, claimed)) = self.claim(now) else {
                return Err(Refusal::Full);
            };
            row.seconds.store(expiry.seconds, Ordering::Relaxed);
            let live = row.publish(claimed, event, socket, expiry.at);
            self.settle(event, socket, (index, live), expiry, now);
            break true;
        };
        self.changed();
        Ok(is_new)
    }

    /// Ends a subscription. False if there was none.
    pub fn unsubscribe(&self, event: &[u8], socket: &[u8], now: u64) -> bool {
        let mut found = false;
        while let Some((row, word)) = self.find(event, socket, now, 0) {
            found |= row.free(word);
        }
        if found {
            self.changed();
        }
        found
    }

    /// What is there at `now`, each subscription once, in the order of the lines.
    #[must_use]
    pub fn entries(&self, now: u64) -> Vec<Entry> {
        self.entries_where(now, |_| true)
    }

    /// Those of one event.
    #[must_use]
    pub fn entries_of(&self, event: &[u8], now: u64) -> Vec<Entry> {
        self.entries_where(now, |other| other == event)
    }

    fn entries_where(&self, now: u64, wanted: impl Fn(&[u8]) -> bool) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        let (mut event, mut socket) = (Vec::new(), Vec::new());
        for (index, row) in self.used().iter().enumerate() {
            let word = row.word();
            if !word.is_there(now) || !row.read(word, &mut event, &mut socket) || !wanted(&event) {
                continue;
            }
            // Two processes may just be subscribing the same; one of the lines goes away again.
            if !seen.insert((event.clone(), socket.clone())) {
                continue;
            }
            entries.push(Entry {
                place: Place {
                    row: index,
                    generation: word.generation(),
                },
                event: event.clone(),
                socket: socket.clone(),
                expiry: Expiry {
                    at: word.expires_at(),
                    seconds: row.seconds.load(Ordering::Relaxed),
                },
                counts: std::array::from_fn(|slot| load(row, slot)),
            });
        }
        entries
    }

    /// Where a subscription is.
    #[must_use]
    pub fn place(&self, event: &[u8], socket: &[u8], now: u64) -> Option<Place> {
        let (found, word) = self.find(event, socket, now, 0)?;
        let row = self.rows.iter().position(|row| std::ptr::eq(row, found))?;
        let generation = word.generation();
        Some(Place { row, generation })
    }

    /// Adds one to a counter of the entry at `place`, if it is still the same.
    pub fn count(&self, place: Place, slot: usize) {
        let row = self.rows.get(place.row);
        let row = row.filter(|row| row.word().generation() == place.generation);
        if let Some(count) = row.and_then(|row| row.counts.get(slot)) {
            // Relaxed: a figure for people.
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn used(&self) -> &'static [Row] {
        let used = self.head.used.load(Ordering::Acquire);
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        self.rows
            .get(..used.min(self.rows.len()))
            .unwrap_or_default()
    }

    fn changed(&self) {
        self.head.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The first line from `begin` on that holds this subscription.
    fn find(
        &self,
        event: &[u8],
        socket: &[u8],
        now: u64,
        begin: usize,
    ) -> Option<(&'static Row, Word)> {
        let (mut its_event, mut its_socket) = (Vec::new(), Vec::new());
        self.used().iter().skip(begin).find_map(|row| {
            let word = row.word();
            let same = word.is_there(now)
                && row.read(word, &mut its_event, &mut its_socket)
                && (its_event == event && its_socket == socket);
            same.then_some((row, word))
        })
    }

    /// Claims a line that is free, or whose subscription has expired.
    fn claim(&self, now: u64) -> Option<(usize, &'static Row, Word)> {
        for (index, row) in self.rows.iter().enumerate() {
            let word = row.word();
            let usable = word.is_free() || (word.is_live() && !word.is_there(now));
            if let Some(claimed) = usable.then(|| row.claim(word)).flatten() {
                self.head.used.fetch_max(index as u64 + 1, Ordering::AcqRel);
                return Some((index, row, claimed));
            }
        }
        None
    }

    /// Of lines that hold the same, only the first remains. Whoever published later sees the other
    /// and clears up; where both see each other, both do the same.
    fn settle(&self, event: &[u8], socket: &[u8], own: (usize, Word), expiry: Expiry, now: u64) {
        let (index, live) = own;
        // SYNC two-lines: of two processes that come here, at least one sees the other's line.
        fence(Ordering::SeqCst);
        while let Some((first, word)) = self.find(event, socket, now, 0) {
            let is_own = self
                .rows
                .get(index)
                .is_some_and(|row| std::ptr::eq(row, first));
            if is_own {
                break;
            }
            // Before ours; or behind it, if ours was ended meanwhile.
            if first.refresh(word, expiry.at) {
                if let Some(row) = self.rows.get(index) {
                    row.free(live);
                }
                return;
            }
        }
        while let Some((row, word)) = self.find(event, socket, now, index + 1) {
            row.free(word);
        }
    }
}

fn load(row: &Row, slot: usize) -> u64 {
    let count = row.counts.get(slot);
    count.map_or(0, |count| count.load(Ordering::Relaxed))
}
