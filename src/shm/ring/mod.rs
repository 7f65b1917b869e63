//! A single-producer single-consumer ring of variable-size frames, after Lamport's queue
//! ("Specifying Concurrent Program Modules", 1983) with cached positions as in FastForward and
//! the BipBuffer family.
//!
//! ```text
//!            head                cursor               tail
//!   ... free | taken, not released | written, not taken | free ...
//! ```
//!
//! * Positions only grow; a position modulo the capacity is a place in the [`Store`].
//! * A frame is an 8-byte word (its length, and the length's complement as a guard) and its bytes,
//!   rounded up to 8. It becomes visible by one store to `tail`, so a producer that is killed in
//!   mid-write leaves nothing behind.
//! * The consumer takes frames by moving its own `cursor` and gives the room back by storing
//!   `head`. A consumer that dies and starts again begins at `head`: at least once, in order.
//! * Where frames are done in another order than they were taken in, the consumer notes that in the guard: whoever takes
//!   such a frame again, also after the consumer's death, is told so. Only `head` gives its room back.

mod consumer;
mod producer;

pub use consumer::Consumer;
pub use producer::Producer;

use super::store::Store;
use crate::primitive::{AtomicU64, Ordering};
use std::fmt;

/// Bytes in front of each frame.
pub const FRAME_HEADER_BYTES: usize = 8;

/// One side's position in shared memory, alone on its cache lines.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Position(AtomicU64);

impl Position {
    /// A position at the beginning.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Default for Position {
    fn default() -> Self {
        Self::new()
    }
}

/// The shared half of a ring: where its positions and its bytes are.
#[derive(Debug, Clone)]
pub struct Ring {
    head: &'static Position,
    tail: &'static Position,
    store: Store,
}

/// The ring has no room for the frame now.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// The ring holds something no producer of ours writes.
#[derive(Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// The position of the bad frame.
    pub position: u64,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the frame at position {} has no sound length",
            self.position
        )
    }
}

impl Ring {
    /// A ring over positions and bytes that live until the process ends.
    #[must_use]
    pub fn new(head: &'static Position, tail: &'static Position, store: Store) -> Self {
        Self { head, tail, store }
    }

    /// Bytes written and not yet released, frame headers included.
    #[must_use]
    pub fn used(&self) -> usize {
        // Relaxed suffices: a figure for people.
        let tail = self.tail.0.load(Ordering::Relaxed);
        let head = self.head.0.load(Ordering::Relaxed);
        usize::try_from(tail.saturating_sub(head))
            .unwrap_or(usize::MAX)
            .min(self.size())
    }

    /// The ring's size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.store.capacity()
    }

    /// How far the consumer has released.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.head.0.load(Ordering::Relaxed)
    }

    /// How far the producer has shown frames.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.tail.0.load(Ordering::Relaxed)
    }

    /// The largest frame that can ever fit, in bytes.
    #[must_use]
    pub fn frame_bytes_max(&self) -> usize {
        self.size() - FRAME_HEADER_BYTES
    }
}

/// What the guard is changed by where the frame is settled.
const SETTLED: u32 = 1 << 31;

/// The word in front of a frame.
fn header(len: u32) -> u64 {
    (u64::from(!len) << 32) | u64::from(len)
}

fn footprint(frame_bytes: usize) -> Option<usize> {
    frame_bytes
        .checked_add(FRAME_HEADER_BYTES)?
        .checked_next_multiple_of(8)
}
