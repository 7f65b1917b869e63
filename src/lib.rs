//! sipbus puts a SIP proxy on a message bus: Kamailio modules whose engine is Rust.
//!
//! This crate is both halves. The worker half (`libsipbus.so`) lives in Kamailio's processes:
//! lanes, inboxes, encoders and the C ABI; it starts no thread and opens no socket. The engine
//! half (`sipbus-engine`) is a program of its own that does all the input and output.
//! `ARCHITECTURE.md` has the picture and the glossary.

pub mod primitive;
pub mod shm;

#[cfg(not(sipbus_loom))]
pub mod abi;
#[cfg(not(sipbus_loom))]
pub mod clock;
#[cfg(not(sipbus_loom))]
pub mod config;
#[cfg(all(not(sipbus_loom), feature = "engine"))]
pub mod connector;
#[cfg(all(not(sipbus_loom), feature = "engine"))]
pub mod engine;
#[cfg(not(sipbus_loom))]
pub mod engine_document;
#[cfg(not(sipbus_loom))]
pub mod evapi;
#[cfg(not(sipbus_loom))]
pub mod events;
#[cfg(not(sipbus_loom))]
pub mod frame;
#[cfg(not(sipbus_loom))]
pub mod host;
#[cfg(not(sipbus_loom))]
pub mod kafka;
#[cfg(not(sipbus_loom))]
pub mod kazoo;
#[cfg(all(not(sipbus_loom), feature = "engine"))]
pub mod link;
#[cfg(not(sipbus_loom))]
pub mod module;
#[cfg(not(sipbus_loom))]
pub mod nats;
#[cfg(not(sipbus_loom))]
pub mod supervisor;
