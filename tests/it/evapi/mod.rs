//! The rules of `evapi.so`, one file per subject.

mod bad_argument;
mod bad_setting;
pub(crate) mod client;
mod engine;
mod events;
mod frame_size;
mod framing;
mod functions;
mod kemi;
mod lifecycle;
pub(crate) mod listener;
mod login;
mod manual;
mod operations;
mod params;
mod parting;
mod peer;
mod resume;
mod routing;
mod slot;
mod slow;
mod suspend;
mod transaction;
mod workers;

crate::conformance::conformance!(crate::evapi::peer::Peer);
