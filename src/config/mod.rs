//! Settings (modparams): one table says name, kind, default, unit and meaning; everything given is
//! checked against it, and all mistakes are reported at once.
#![forbid(unsafe_code)]

mod common;
mod given;
mod setting;
#[cfg(test)]
mod tests;

pub use common::{COMMON, Common};
pub use given::{Given, Value};
pub use setting::{ANY, FLAG, Kind, Setting, TEXT, Values, check, row};
