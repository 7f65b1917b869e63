//! TLS, the same for every connector: who is refused, what operators are told, and that new
//! certificates cost no message.

pub(crate) mod clients;
mod matrix;
mod proxy;
mod reload;
mod socket;
