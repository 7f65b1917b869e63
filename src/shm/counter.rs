//! Counters in shared memory that one process writes and any may read.

use crate::primitive::{AtomicU64, Ordering};

/// A counter with a single writer: adding is a plain load and store, no bus lock.
#[repr(transparent)]
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One at zero.
    #[cfg(sipbus_loom)]
    #[must_use]
    pub fn model() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `n`. Only the counter's one writer may call this.
    pub fn add(&self, n: u64) {
        // Relaxed: a figure for people, ordered with nothing.
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Replaces the value. Only the counter's one writer may call this.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The value now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds `n` to slot `slot`; a slot that is not there counts nothing.
pub(super) fn add(counters: &[Counter], slot: usize, n: u64) {
    if let Some(counter) = counters.get(slot) {
        counter.add(n);
    }
}
