//! Maps the region: its head once, each ring twice in a row.

use super::layout::{Layout, RingPlace};
use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;

/// A mapping that stays until the process ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mapping {
    base: *mut u8,
    bytes: usize,
}

impl Mapping {
    /// Maps `fd`, which must be as long as `layout` says.
    pub(super) fn of(fd: BorrowedFd<'_>, layout: &Layout) -> Result<Self> {
        let bytes = layout.mapped_bytes;
        // SAFETY: the kernel chooses a free range; nothing else is touched.
        let base =
            unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::empty(), MapFlags::PRIVATE)? };
        let mapping = Self {
            base: base.cast(),
            bytes,
        };
        mapping.fix(fd, 0, 0, layout.head_bytes)?;
        for RingPlace {
            file,
            mapped,
            bytes,
        } in layout.rings()
        {
            mapping.fix(fd, file, mapped, bytes)?;
            mapping.fix(fd, file, mapped + bytes, bytes)?;
        }
        Ok(mapping)
    }

    fn fix(&self, fd: BorrowedFd<'_>, file: usize, mapped: usize, bytes: usize) -> Result<()> {
        assert!(
            mapped
                .checked_add(bytes)
                .is_some_and(|end| end <= self.bytes)
        );
        let at = self.at(mapped).cast();
        // SAFETY: the target lies in the range reserved above, which nothing uses yet.
        unsafe {
            mmap(
                at,
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                fd,
                file as u64,
            )?;
        }
        Ok(())
    }

    /// The address of `offset`.
    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes);
        // SAFETY: checked to lie in the mapped range.
        unsafe { self.base.add(offset) }
    }
}
