//! Descriptors that one process leaves to another.

use rustix::io::{Errno, FdFlags};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes over descriptor `fd`, which the parent left open for this process.
///
/// # Errors
/// If no such descriptor is open.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // The system would refuse it, too; the standard library panics before.
    if fd < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: only borrowed for the question whether it is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and by the program's arguments it is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes `fd` one that a task can wait on until it is readable.
///
/// # Errors
/// The system's. Panics outside a tokio runtime, as tokio does.
#[cfg(feature = "engine")]
pub fn readable(fd: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    let interest = tokio::io::Interest::READABLE;
    // SAFETY: the descriptor is moved in, so it stays open for as long as it is registered.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}

/// Leaves exactly `kept` (and the three standard ones) open for a program started from now on.
/// For a process that starts no other program.
///
/// # Errors
/// The system's.
pub fn leave_only(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    #[allow(clippy::cast_possible_wrap, reason = "a flag word")]
    // SAFETY: changes a flag of descriptors, closes nothing in this process.
    let marked = unsafe { libc::close_range(3, libc::c_uint::MAX, flag as libc::c_int) };
    if marked != 0 {
        return Err(io::Error::last_os_error());
    }
    for fd in kept {
        debug_assert!(fd.as_raw_fd() > 2);
        rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
    }
    Ok(())
}
