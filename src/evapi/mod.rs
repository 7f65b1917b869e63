//! What the evapi module knows without a network: settings, addresses, netstrings, counters.
#![forbid(unsafe_code)]

pub mod address;
pub mod counter;
pub mod listen;
pub mod netstring;
pub mod settings;
#[cfg(test)]
mod tests;

/// The longest tag, in bytes; the original's limit.
pub const TAG_BYTES_MAX: usize = 63;

/// How far a client is; the numbers are what the table of peers holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Connected; TLS and the secret are still to come.
    Login = 1,
    /// Its connection-new route has not ended yet: nothing goes in or out.
    New = 2,
    /// It takes part.
    Up = 3,
    /// It was told to leave; what is in its buffer goes out first.
    Closing = 4,
}

impl State {
    /// The state with that number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Login, Self::New, Self::Up, Self::Closing]
            .into_iter()
            .find(|state| *state as u64 == number)
    }

    /// As reports show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::New => "new",
            Self::Up => "up",
            Self::Closing => "closing",
        }
    }
}

/// The figures of a client in the table of peers.
pub mod figure {
    /// Frames read.
    pub const FRAMES_IN: usize = 0;
    /// Bytes read.
    pub const BYTES_IN: usize = 1;
    /// Frames written.
    pub const FRAMES_OUT: usize = 2;
    /// Bytes written.
    pub const BYTES_OUT: usize = 3;
    /// Bytes that wait for being written.
    pub const BUFFERED: usize = 4;
    /// Frames left out because the buffer was full.
    pub const DROPPED: usize = 5;
    /// The worker that got its last event.
    pub const WORKER: usize = 6;
}
