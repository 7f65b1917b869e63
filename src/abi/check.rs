//! What the engine's program says to a module's settings.

use crate::supervisor;
use serde::Serialize;

/// The settings as they go to the engine, once it has nothing against them. Blocks until it has
/// looked at them.
///
/// # Errors
/// Every mistake, as a sentence.
pub(super) fn settings(
    module: &str,
    settings: &impl Serialize,
) -> Result<serde_json::Value, Vec<String>> {
    let document = unchecked(settings)?;
    supervisor::check(module, &document)?;
    Ok(document)
}

/// The settings as they go to the engine, which has nothing to check in them. Does not block.
///
/// # Errors
/// What cannot be written down, as a sentence.
pub(super) fn unchecked(settings: &impl Serialize) -> Result<serde_json::Value, Vec<String>> {
    serde_json::to_value(settings).map_err(|error| vec![error.to_string()])
}
