//! The reading end of a ring.

use super::{Corrupt, FRAME_HEADER_BYTES, Ring, footprint};
use crate::primitive::Ordering;

/// One per ring at a time.
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
