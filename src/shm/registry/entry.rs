//! A subscription as it is given and read.

use super::row::COUNTS;

/// Slots of an entry's counters.
pub mod count {
    /// Events that were handed over.
    pub const SENT: usize = 0;
    /// Events that were refused.
    pub const REFUSED: usize = 1;
}

/// How long a subscription lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The last second of the monotonic clock at which it is there; 0 for no end.
    pub at: u64,
    /// The period that was asked for.
    pub seconds: u64,
}

impl Expiry {
    /// Without an end.
    pub const NEVER: Self = Self { at: 0, seconds: 0 };
}

/// Which line, and which of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) row: usize,
    pub(super) generation: u64,
}

/// A subscription as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub place: Place,
    /// The event's name.
    pub event: Vec<u8>,
    /// Where the event goes.
    pub socket: Vec<u8>,
    /// Until when.
    pub expiry: Expiry,
    /// See [`count`].
    pub counts: [u64; COUNTS],
}

/// Why a subscription is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Every line is in use.
    Full,
    /// The name or the socket is longer than a line.
    TooLong,
}
