//! The atomics of the whole crate, and what waits for them, so that loom can stand in for them.
//!
//! The switch is a cfg of our own: plain `cfg(loom)` would also change tokio.
//! Atomics are specified in terms of threads and used here between processes; that holds because
//! lock-free operations are address-free, which the types below are on every target Kamailio runs on.
//!
//! That nobody else names the types is checked by `tests/tidy.rs`: clippy's list of disallowed types
//! sees through re-exports.

#[cfg(sipbus_loom)]
pub use loom::hint::spin_loop;
#[cfg(sipbus_loom)]
pub use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(sipbus_loom))]
pub use std::hint::spin_loop;
#[cfg(not(sipbus_loom))]
pub use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
