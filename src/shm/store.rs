//! The bytes of a ring: a power-of-two area that is mapped twice in a row, so that a frame which
//! crosses the end still is one slice.
//!
//! ```text
//!  virtual   | byte 0 .. capacity-1 | byte 0 .. capacity-1 |
//!                          ^frame starts here ... ends here^
//! ```

#[cfg(sipbus_loom)]
pub use model::Store;
#[cfg(not(sipbus_loom))]
pub use real::Store;

#[cfg(not(sipbus_loom))]
mod real {
    const CACHE_LINE: usize = 64;

    /// Of longer writes the processor itself finds out.
    const AHEAD: usize = 8;

    /// A view of the mapped area. Copying the value does not copy the bytes.
    #[derive(Debug, Clone, Copy)]
    pub struct Store {
        base: *mut u8,
        capacity: usize,
    }

    // SAFETY: the area belongs to no thread; who may touch which byte is decided by the ring's
    // positions, and only its one producer and one consumer do.
    unsafe impl Send for Store {}

    impl Store {
        /// Takes an area of `capacity` bytes (a power of two) that is mapped at `base` and again
        /// right behind.
        ///
        /// # Safety
        /// Both mappings must be readable and writable and live until the process ends.
        pub(in crate::shm) unsafe fn new(base: *mut u8, capacity: usize) -> Self {
            debug_assert!(capacity.is_power_of_two());
            Self { base, capacity }
        }

        /// The size of the area in bytes.
        pub fn capacity(&self) -> usize {
            self.capacity
        }

        fn at(&self, position: u64) -> *mut u8 {
            let mask = self.capacity as u64 - 1;
            #[allow(clippy::cast_possible_truncation, reason = "masked by a usize")]
            let index = (position & mask) as usize;
            // SAFETY: index < capacity, inside the first mapping.
            unsafe { self.base.add(index) }
        }

        /// Copies `bytes` to `position`.
        ///
        /// # Safety
        /// `bytes.len() <= capacity`, and the consumer does not own any of the bytes written.
        pub(in crate::shm) unsafe fn write(&self, position: u64, bytes: &[u8]) {
            debug_assert!(bytes.len() <= self.capacity);
            // SAFETY: the target ends before twice the capacity, which is mapped; source and
            // target are distinct because nobody else holds these bytes.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(position), bytes.len()) }
        }

        /// Tells the processor that about `len` bytes from `position` on are soon written: it fetches their cache
        /// lines from the core that read them, while the caller goes on. A hint, about no more than [`AHEAD`]
        /// lines; the one at `position` itself was written just now.
        pub(in crate::shm) fn expect_write(&self, position: u64, len: usize) {
            for line in 1..=len.div_ceil(CACHE_LINE).min(AHEAD) {
                fetch_for_writing(self.at(position + (line * CACHE_LINE) as u64));
            }
        }

        /// The `len` bytes at `position`.
        ///
        /// # Safety
        /// `len <= capacity`, and the bytes stay unwritten for as long as the view is used: they
        /// lie between the ring's head and tail, and the head does not pass them meanwhile.
        pub(in crate::shm) unsafe fn view(&self, position: u64, len: usize) -> &'static [u8] {
            debug_assert!(len <= self.capacity);
            // SAFETY: see above; the mapping lives until the process ends.
            unsafe { std::slice::from_raw_parts(self.at(position), len) }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn fetch_for_writing(line: *mut u8) {
        // Not `_mm_prefetch`: without `-C target-feature` that fetches for reading.
        // SAFETY: PREFETCHW is a hint, for any address, and changes no register, flag or memory.
        unsafe {
            std::arch::asm!("prefetchw [{}]", in(reg) line, options(readonly, nostack, preserves_flags));
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn fetch_for_writing(_: *mut u8) {}
}

#[cfg(sipbus_loom)]
mod model {
    use loom::cell::UnsafeCell;
    use std::sync::Arc;

    /// The same area for the model: every byte watched by loom.
    #[derive(Debug, Clone)]
    pub struct Store {
        bytes: Arc<Vec<UnsafeCell<u8>>>,
    }

    // SAFETY: loom itself reports an access that is not ordered.
    unsafe impl Send for Store {}

    impl Store {
        /// An area of `capacity` zero bytes.
        #[must_use]
        pub fn model(capacity: usize) -> Self {
            let bytes = (0..capacity).map(|_| UnsafeCell::new(0)).collect();
            Self {
                bytes: Arc::new(bytes),
            }
        }

        /// The size of the area in bytes.
        pub fn capacity(&self) -> usize {
            self.bytes.len()
        }

        /// The model has no caches.
        pub(in crate::shm) fn expect_write(&self, _: u64, _: usize) {}

        fn cell(&self, position: u64) -> &UnsafeCell<u8> {
            &self.bytes[position as usize % self.bytes.len()]
        }

        /// # Safety
        /// As the real one's; loom checks it.
        pub(in crate::shm) unsafe fn write(&self, position: u64, bytes: &[u8]) {
            for (i, byte) in bytes.iter().enumerate() {
                // SAFETY: loom fails the model if another thread reads this cell.
                self.cell(position + i as u64)
                    .with_mut(|cell| unsafe { *cell = *byte });
            }
        }

        /// # Safety
        /// As the real one's; loom checks it.
        pub(in crate::shm) unsafe fn view(&self, position: u64, len: usize) -> &'static [u8] {
            let copy: Vec<u8> = (0..len)
                // SAFETY: loom fails the model if another thread writes this cell.
                .map(|i| self.cell(position + i as u64).with(|cell| unsafe { *cell }))
                .collect();
            Box::leak(copy.into_boxed_slice())
        }
    }
}
