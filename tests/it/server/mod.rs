//! The servers that Kamailio talks to, one file each.

pub(crate) mod nats;
