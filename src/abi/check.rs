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
    let document = serde_json::to_value(settings).map_err(|error| vec![error.to_string()])?;
    supervisor::check(module, &document)?;
    Ok(document)
}
