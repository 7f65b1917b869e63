//! The clock that all processes of a machine share, asked through libc: it knows the kernel's shortcut
//! where there is one, and does without it where there is none, as under valgrind.

use std::time::Duration;

/// The time since an unnamed moment: the same in every process, not moved by anybody.
pub(crate) fn monotonic() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is ours, and to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}
