//! The writing end of a ring.

use super::{FRAME_HEADER_BYTES, Full, Ring, footprint, header};
use crate::primitive::Ordering;

/// One per ring, ever: a new one continues where the last one of a dead process
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
        // SAFETY: `room` proved that the consumer has released these bytes.
        unsafe {
            self.ring
                .store
                .write(self.staged, &header(len).to_ne_bytes())
        }
        let mut at = self.staged + FRAME_HEADER_BYTES as u64;
        for part in parts {
            // SAFETY: as above, and the parts together are `bytes` long.
            unsafe { self.ring.store.write(at, part) }
            at += part.len() as u64;
        }
        self.staged += footprint as u64;
        // The next frame will be about as long as this one.
        self.ring.store.expect_write(self.staged, footprint);
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
