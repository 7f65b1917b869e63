//! The reading end of a ring.

use super::{Corrupt, FRAME_HEADER_BYTES, Ring, SETTLED, footprint};
use crate::primitive::Ordering;

/// One per ring at a time.
#[derive(Debug)]
pub struct Consumer {
    ring: Ring,
    cursor: u64,
    tail_seen: u64,
    /// Of the frame that was taken last.
    settled: bool,
}

/// A frame's header.
struct Header {
    /// Of the frame's bytes.
    len: usize,
    /// Of all of the frame.
    footprint: u64,
    settled: bool,
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
            settled: false,
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
        let Header {
            len,
            footprint,
            settled,
        } = self.header(self.cursor)?;
        let at = self.cursor + FRAME_HEADER_BYTES as u64;
        self.cursor += footprint;
        self.settled = settled;
        // SAFETY: the whole frame lies between head and tail, and only `release` moves the head.
        Ok(Some(unsafe { self.ring.store.view(at, len) }))
    }

    /// Whether the frame that was taken last had been [`settle`](Self::settle)d before.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Notes those of the frames between `from` and `to` that `which` says are done: not to be handed on again, though
    /// their room is not given back yet. They count from 0; both positions are earlier [`cursor`](Self::cursor)s
    /// and were not released.
    pub fn settle(&mut self, from: u64, to: u64, which: impl Fn(usize) -> bool) {
        debug_assert!(to <= self.cursor);
        let mut at = from;
        for number in 0.. {
            if at >= to {
                return;
            }
            let Ok(header) = self.header(at) else { return };
            if which(number) && !header.settled {
                self.note(at, header.len);
            }
            at += header.footprint;
        }
    }

    fn note(&mut self, at: u64, len: usize) {
        let Ok(len) = u32::try_from(len) else { return };
        let header = super::header(len) ^ (u64::from(SETTLED) << 32);
        // SAFETY: the header lies between head and tail, so it is the consumer's; slices that were handed out begin
        // behind it. One byte changes, so a death in between leaves the old header or the new one.
        unsafe { self.ring.store.write(at, &header.to_ne_bytes()) }
    }

    /// The header at `position`, which lies between head and the tail that was seen last.
    fn header(&self, position: u64) -> Result<Header, Corrupt> {
        let written = self.tail_seen.wrapping_sub(position);
        let corrupt = Corrupt { position };
        if written < FRAME_HEADER_BYTES as u64 || written > self.ring.size() as u64 {
            return Err(corrupt);
        }
        // SAFETY: the header lies between head and tail.
        let header = unsafe { self.ring.store.view(position, FRAME_HEADER_BYTES) };
        let header = u64::from_ne_bytes(header.try_into().unwrap_or_default());
        #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
        let (len, guard) = (header as u32, (header >> 32) as u32);
        let settled = match guard ^ !len {
            0 => false,
            SETTLED => true,
            _ => return Err(corrupt),
        };
        let len = len as usize;
        let footprint = footprint(len).unwrap_or(usize::MAX) as u64;
        if footprint > written {
            return Err(corrupt);
        }
        Ok(Header {
            len,
            footprint,
            settled,
        })
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
