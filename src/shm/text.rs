//! A short text in shared memory: written by the engine, read by an RPC process, never torn.
//!
//! A sequence lock (Hemminger, Linux 2.5.60): the version is odd while the text is written.

use crate::primitive::{AtomicU8, AtomicU32, Ordering, fence, spin_loop};

/// Up to `N` bytes of UTF-8; longer texts are cut at a character.
#[repr(C)]
#[derive(Debug)]
pub struct Text<const N: usize> {
    version: AtomicU32,
    len: AtomicU32,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Text<N> {
    /// An empty one for the model.
    #[cfg(sipbus_loom)]
    #[must_use]
    pub fn model() -> Self {
        Self {
            version: AtomicU32::new(0),
            len: AtomicU32::new(0),
            bytes: std::array::from_fn(|_| AtomicU8::new(0)),
        }
    }

    /// Replaces the text. One writer at a time.
    pub fn set(&self, text: &str) {
        let mut end = text.len().min(N);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.set_bytes(text.as_bytes().get(..end).unwrap_or_default());
    }

    /// Replaces the text by any bytes, of which it takes the first `N`. One writer at a time.
    pub fn set_bytes(&self, bytes: &[u8]) {
        let end = bytes.len().min(N);
        // A writer that was killed left an odd version: go on from the next odd one.
        let version = self.version.load(Ordering::Relaxed) | 1;
        self.version.store(version, Ordering::Relaxed);
        // SYNC text-version: the odd version is seen before any byte of the new text.
        fence(Ordering::Release);
        for (cell, byte) in self.bytes.iter().zip(bytes.iter().take(end)) {
            cell.store(*byte, Ordering::Relaxed);
        }
        self.len
            .store(u32::try_from(end).unwrap_or(0), Ordering::Relaxed);
        // SYNC text-bytes: the bytes are seen before the even version.
        self.version
            .store(version.wrapping_add(1), Ordering::Release);
    }

    /// The text now. After a few tries under a writer that never ends (it was killed), what is
    /// there, with unsound bytes replaced.
    #[must_use]
    pub fn value(&self) -> String {
        let mut copy = Vec::new();
        self.read(&mut copy);
        String::from_utf8_lossy(&copy).into_owned()
    }

    /// Whether `bytes` are what it was set to, as far as there is room for them.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let mut copy = Vec::new();
        self.read(&mut copy);
        copy == bytes.get(..N).unwrap_or(bytes)
    }

    /// As [`value`](Self::value), byte for byte, into `copy`.
    pub fn read(&self, copy: &mut Vec<u8>) {
        for _ in 0..1000 {
            // SYNC text-bytes
            let before = self.version.load(Ordering::Acquire);
            let len = self.len.load(Ordering::Relaxed) as usize;
            copy.clear();
            copy.extend(
                self.bytes
                    .iter()
                    .take(len)
                    .map(|cell| cell.load(Ordering::Relaxed)),
            );
            // SYNC text-version
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.version.load(Ordering::Relaxed) == before {
                break;
            }
            spin_loop();
        }
    }
}
