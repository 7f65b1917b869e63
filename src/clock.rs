//! The clock that all processes of a machine share, for deadlines that cross between them.
#![forbid(unsafe_code)]

use crate::shm::clock::monotonic;

/// Milliseconds of CLOCK_MONOTONIC: the same in every process, not moved by anybody.
#[must_use]
pub fn monotonic_ms() -> u64 {
    u64::try_from(monotonic().as_millis()).unwrap_or(u64::MAX)
}

/// Whole seconds of it.
#[must_use]
pub fn monotonic_seconds() -> u64 {
    monotonic().as_secs()
}
