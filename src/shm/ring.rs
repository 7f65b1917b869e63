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

fn footprint(frame_bytes: usize) -> Option<usize> {
    frame_bytes
        .checked_add(FRAME_HEADER_BYTES)?
        .checked_next_multiple_of(8)
}

/// The writing end. One per ring, ever: a new one continues where the last one of a dead process
/// stopped.
#[derive(Debug)]
pub struct Producer {
    ring: Ring,
    /// End of what is staged; `ring.tail` is the end of what is visible.
    staged: u64,
    /// The last head seen, so that a push normally reads no foreign cache line.
    head_seen: u64,
}

impl Producer {
    /// Attaches to `ring`. There must be no other producer: in sipbus the ring's index is the
    /// Kamailio process number, which no two live processes share.
    #[must_use]
    pub fn attach(ring: Ring) -> Self {
        // Relaxed: the only writer of the tail before us is dead.
        let staged = ring.tail.0.load(Ordering::Relaxed);
        let head_seen = ring.head.0.load(Ordering::Acquire);
        Self {
            ring,
            staged,
            head_seen,
        }
    }

    /// Writes a frame made of `parts` behind the visible ones, without showing it yet.
    ///
    /// # Errors
    /// [`Full`] when there is no room now. A frame over [`Ring::frame_bytes_max`] never fits:
    /// callers refuse it before.
    pub fn stage(&mut self, parts: &[&[u8]]) -> Result<(), Full> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let footprint = footprint(bytes).ok_or(Full)?;
        if footprint > self.room(footprint) {
            return Err(Full);
        }
        let len = u32::try_from(bytes).map_err(|_| Full)?;
        let header = (u64::from(!len) << 32) | u64::from(len);
        // SAFETY: `room` proved that the consumer has released these bytes.
        unsafe { self.ring.store.write(self.staged, &header.to_ne_bytes()) }
        let mut at = self.staged + FRAME_HEADER_BYTES as u64;
        for part in parts {
            // SAFETY: as above, and the parts together are `bytes` long.
            unsafe { self.ring.store.write(at, part) }
            at += part.len() as u64;
        }
        self.staged += footprint as u64;
        Ok(())
    }

    /// Shows every staged frame to the consumer.
    pub fn commit(&mut self) {
        // SYNC frame-visible: what was written above is read by the consumer after its Acquire.
        self.ring.tail.0.store(self.staged, Ordering::Release);
    }

    /// True if something is staged and not yet shown.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.ring.tail.0.load(Ordering::Relaxed) != self.staged
    }

    /// [`stage`](Self::stage) and [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn push(&mut self, parts: &[&[u8]]) -> Result<(), Full> {
        self.stage(parts)?;
        self.commit();
        Ok(())
    }

    /// The position behind the last frame staged.
    #[must_use]
    pub fn staged(&self) -> u64 {
        self.staged
    }

    /// True if a frame of `bytes` would fit now.
    pub fn fits(&mut self, bytes: usize) -> bool {
        footprint(bytes).is_some_and(|footprint| footprint <= self.room(footprint))
    }

    /// How far the consumer has released, as of now.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.ring.released()
    }

    /// The shared half.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    fn room(&mut self, wanted: usize) -> usize {
        let room = |head: u64| {
            let used = usize::try_from(self.staged.wrapping_sub(head)).unwrap_or(usize::MAX);
            self.ring.size().saturating_sub(used)
        };
        let seen = room(self.head_seen);
        if seen >= wanted {
            return seen;
        }
        // SYNC room-visible: the consumer has finished reading what lies before its head.
        let head = self.ring.head.0.load(Ordering::Acquire);
        let now = room(head);
        self.head_seen = head;
        now
    }
}

/// The reading end. One per ring at a time.
#[derive(Debug)]
pub struct Consumer {
    ring: Ring,
    cursor: u64,
    tail_seen: u64,
}

impl Consumer {
    /// Attaches to `ring` at the oldest frame that was not released.
    #[must_use]
    pub fn attach(ring: Ring) -> Self {
        // Relaxed: the only writer of the head before us is dead.
        let cursor = ring.head.0.load(Ordering::Relaxed);
        Self {
            ring,
            cursor,
            tail_seen: cursor,
        }
    }

    /// Takes the next frame. It stays in the ring, and the slice stays valid, until it is released.
    ///
    /// # Errors
    /// [`Corrupt`] if the ring holds no sound frame there; the consumer does not move.
    pub fn take(&mut self) -> Result<Option<&'static [u8]>, Corrupt> {
        if self.is_empty() {
            return Ok(None);
        }
        let written = self.tail_seen.wrapping_sub(self.cursor);
        let corrupt = Corrupt {
            position: self.cursor,
        };
        if written < FRAME_HEADER_BYTES as u64 || written > self.ring.size() as u64 {
            return Err(corrupt);
        }
        // SAFETY: the header lies between head and tail.
        let header = unsafe { self.ring.store.view(self.cursor, FRAME_HEADER_BYTES) };
        let header = u64::from_ne_bytes(header.try_into().unwrap_or_default());
        #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
        let (len, guard) = (header as u32, (header >> 32) as u32);
        let footprint = footprint(len as usize).unwrap_or(usize::MAX) as u64;
        if guard != !len || footprint > written {
            return Err(corrupt);
        }
        let at = self.cursor + FRAME_HEADER_BYTES as u64;
        self.cursor += footprint;
        // SAFETY: the whole frame lies between head and tail, and only `release` moves the head.
        Ok(Some(unsafe { self.ring.store.view(at, len as usize) }))
    }

    /// True if there is nothing to take.
    pub fn is_empty(&mut self) -> bool {
        if self.cursor == self.tail_seen {
            // SYNC frame-visible
            self.tail_seen = self.ring.tail.0.load(Ordering::Acquire);
        }
        self.cursor == self.tail_seen
    }

    /// Bytes not released, of those that this end knows to be written.
    #[must_use]
    pub fn backlog(&self) -> usize {
        let backlog = self.tail_seen.wrapping_sub(self.ring.released());
        usize::try_from(backlog)
            .unwrap_or(usize::MAX)
            .min(self.ring.size())
    }

    /// The position behind the last frame taken: what [`release`](Self::release) wants.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Gives back the room of every frame before `position`. Slices taken from there are dead.
    pub fn release(&mut self, position: u64) {
        debug_assert!(position <= self.cursor);
        // SYNC room-visible
        self.ring.head.0.store(position, Ordering::Release);
    }

    /// Goes back to `position`, an earlier [`cursor`](Self::cursor) that was not released: what was taken
    /// since is taken again.
    pub fn back_to(&mut self, position: u64) {
        debug_assert!(position <= self.cursor);
        self.cursor = position;
    }

    /// Goes back to the oldest frame that was not released: it and all after it are taken again.
    pub fn rewind(&mut self) {
        self.cursor = self.ring.released();
    }

    /// The shared half.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}
