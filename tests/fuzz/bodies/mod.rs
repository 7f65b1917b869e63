//! What the fuzzer and the test of the kept inputs do with an input: each body takes any bytes, and
//! panics where a promise is broken.
#![allow(dead_code, reason = "each target uses one of them")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken promise is a panic"
)]

mod boundary;
mod broker;
mod frame;
mod json;
mod netstring;
mod setting;
mod socket;
mod subject;

pub(crate) use boundary::boundary;
pub(crate) use broker::broker;
pub(crate) use frame::frame;
pub(crate) use json::json;
pub(crate) use netstring::netstring;
pub(crate) use setting::setting;
pub(crate) use socket::socket;
pub(crate) use subject::subject;

/// What is done with an input.
pub(crate) type Body = fn(&[u8]);

/// All bodies, by the name of their target and of their folder of kept inputs.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("boundary", boundary),
    ("broker", broker),
    ("frame", frame),
    ("json", json),
    ("netstring", netstring),
    ("setting", setting),
    ("socket", socket),
    ("subject", subject),
];

/// `input` up to the first line end, and what is behind it.
fn lines(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (first, rest) = input.split_at(end.unwrap_or(input.len()));
    (first, rest.get(1..).unwrap_or_default())
}
