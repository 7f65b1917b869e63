//! The settings as they cross to the engine, in the region: not in its arguments or environment,
//! which other users of the machine may see.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document.
#[derive(Debug, Serialize, Deserialize)]
pub struct Document {
    /// How long the drain at the end may take.
    pub drain_timeout_ms: u64,
    /// By module, what its settings type serializes to.
    pub modules: BTreeMap<String, serde_json::Value>,
}
