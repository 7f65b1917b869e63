//! The shared memory region: what the processes of one Kamailio and its engine have in common.
//!
//! One memfd, mapped by all of them, readable by nobody else and gone with its last process.
//! Offsets, never pointers; everything in it is valid when zeroed and has no destructor; every
//! length read from it is checked.
#![allow(
    unsafe_code,
    reason = "one of the three folders that may; see SAFETY.md"
)]

pub mod counter;
pub mod doorbell;
pub mod inbox;
pub mod lane;
mod look;
pub mod mailbox;
pub mod registry;
pub mod request;
pub mod ring;
pub mod store;
pub mod text;
pub mod waker;

#[cfg(not(sipbus_loom))]
pub(crate) mod clock;
#[cfg(not(sipbus_loom))]
pub mod inherit;
#[cfg(not(sipbus_loom))]
pub mod layout;
#[cfg(not(sipbus_loom))]
mod map;
#[cfg(not(sipbus_loom))]
pub mod region;
#[cfg(all(feature = "engine", not(sipbus_loom)))]
pub mod schedule;
