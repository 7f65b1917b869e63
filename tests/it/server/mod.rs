//! The servers that Kamailio talks to, one file each.

pub(crate) mod kafka;
pub(crate) mod nats;
mod object_store;
pub(crate) mod rabbitmq;
