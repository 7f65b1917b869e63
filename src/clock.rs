//! The clock that all processes of a machine share, for deadlines that cross between them.
#![forbid(unsafe_code)]

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of CLOCK_MONOTONIC: the same in every process, not moved by anybody.
#[must_use]
pub fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let millis = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(millis)
}
