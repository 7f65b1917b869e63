//! One line of the registry. A single word says all that changes after it was written, so every
//! change is one compare-and-swap:
//!
//! ```text
//!  expires at: 34 bits | generation: 28 bits | phase: 2 bits
//! ```

use crate::primitive::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// Bytes of the longest event name. The model has only what it needs.
pub const EVENT_BYTES: usize = if cfg!(sipbus_loom) { 1 } else { 128 };

/// Bytes of the longest socket.
pub const SOCKET_BYTES: usize = if cfg!(sipbus_loom) { 1 } else { 1024 };

/// Counters per line.
pub const COUNTS: usize = 2;

const FREE: u64 = 0;
const WRITING: u64 = 1;
const LIVE: u64 = 2;
const PHASE: u64 = 0b11;
const GENERATION_BITS: u32 = 28;
const EXPIRY_BITS: u32 = 34;

/// What the word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    /// A free line, which is all zeroes at first.
    pub(super) fn is_free(self) -> bool {
        self.0 & PHASE == FREE
    }

    pub(super) fn is_live(self) -> bool {
        self.0 & PHASE == LIVE
    }

    /// Whether the line is there at `now`.
    pub(super) fn is_there(self, now: u64) -> bool {
        let expires_at = self.expires_at();
        self.is_live() && (expires_at == 0 || now <= expires_at)
    }

    /// How often the line was written, a number that comes again only after millions.
    pub(super) fn generation(self) -> u64 {
        self.0 >> 2 & ((1 << GENERATION_BITS) - 1)
    }

    /// 0 for never.
    pub(super) fn expires_at(self) -> u64 {
        self.0 >> (64 - EXPIRY_BITS)
    }

    fn with(generation: u64, phase: u64, expires_at: u64) -> Self {
        let expires_at = expires_at.min((1 << EXPIRY_BITS) - 1);
        let generation = generation & ((1 << GENERATION_BITS) - 1);
        Self(expires_at << (64 - EXPIRY_BITS) | generation << 2 | phase)
    }

    fn claimed(self) -> Self {
        Self::with(self.generation() + 1, WRITING, 0)
    }

    fn live(self, expires_at: u64) -> Self {
        Self::with(self.generation(), LIVE, expires_at)
    }

    fn freed(self) -> Self {
        Self::with(self.generation(), FREE, 0)
    }
}

/// Bytes that are read while they may be written; the word says afterwards whether they were whole.
#[repr(C)]
#[derive(Debug)]
struct Bytes<const N: usize> {
    len: AtomicU32,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Bytes<N> {
    fn set(&self, bytes: &[u8]) {
        // Relaxed: the word orders them.
        for (cell, byte) in self.bytes.iter().zip(bytes) {
            cell.store(*byte, Ordering::Relaxed);
        }
        let len = u32::try_from(bytes.len().min(N)).unwrap_or(0);
        self.len.store(len, Ordering::Relaxed);
    }

    fn read(&self, copy: &mut Vec<u8>) {
        let len = self.len.load(Ordering::Relaxed) as usize;
        let cells = self.bytes.iter().take(len);
        copy.clear();
        copy.extend(cells.map(|cell| cell.load(Ordering::Relaxed)));
    }
}

/// See the module. Valid when zeroed.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Row {
    word: AtomicU64,
    /// The period that was asked for, for people.
    pub(super) seconds: AtomicU64,
    pub(super) counts: [AtomicU64; COUNTS],
    event: Bytes<EVENT_BYTES>,
    socket: Bytes<SOCKET_BYTES>,
}

impl Row {
    /// The word now, and all that was written before it.
    pub(super) fn word(&self) -> Word {
        // SYNC row-live
        Word(self.word.load(Ordering::Acquire))
    }

    /// Replaces `before`. False if another process was faster.
    fn swap(&self, before: Word, after: Word) -> bool {
        let (now, then) = (before.0, after.0);
        self.word
            .compare_exchange(now, then, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Makes the line the caller's own, to be written.
    pub(super) fn claim(&self, before: Word) -> Option<Word> {
        let claimed = before.claimed();
        self.swap(before, claimed).then_some(claimed)
    }

    /// Writes a claimed line and lets it be seen.
    pub(super) fn publish(
        &self,
        claimed: Word,
        event: &[u8],
        socket: &[u8],
        expires_at: u64,
    ) -> Word {
        // SYNC row-claimed: the claim is seen before any byte of what comes.
        fence(Ordering::Release);
        self.event.set(event);
        self.socket.set(socket);
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
        let live = claimed.live(expires_at);
        // SYNC row-live: the bytes are seen with the word.
        self.word.store(live.0, Ordering::Release);
        live
    }

    /// Gives a live line another expiry. False if it changed meanwhile.
    pub(super) fn refresh(&self, before: Word, expires_at: u64) -> bool {
        self.swap(before, before.live(expires_at))
    }

    /// Frees a live line. False if it changed meanwhile.
    pub(super) fn free(&self, before: Word) -> bool {
        self.swap(before, before.freed())
    }

    /// Copies what is written. False if it was written anew meanwhile: then the copy is torn.
    pub(super) fn read(&self, word: Word, event: &mut Vec<u8>, socket: &mut Vec<u8>) -> bool {
        self.event.read(event);
        self.socket.read(socket);
        // SYNC row-claimed
        fence(Ordering::Acquire);
        let after = Word(self.word.load(Ordering::Relaxed));
        after.is_live() && after.generation() == word.generation()
    }
}

#[cfg(sipbus_loom)]
impl Row {
    pub(super) fn model() -> Self {
        let zero = |_| AtomicU64::new(0);
        Self {
            word: AtomicU64::new(0),
            seconds: AtomicU64::new(0),
            counts: std::array::from_fn(zero),
            event: Bytes::model(),
            socket: Bytes::model(),
        }
    }
}

#[cfg(sipbus_loom)]
impl<const N: usize> Bytes<N> {
    fn model() -> Self {
        Self {
            len: AtomicU32::new(0),
            bytes: std::array::from_fn(|_| AtomicU8::new(0)),
        }
    }
}
