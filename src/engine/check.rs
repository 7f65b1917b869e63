//! What a starting Kamailio asks before anything runs: do the connectors' libraries take the settings?

use crate::connector::CONNECTORS;
use crate::engine_document::Document;
use std::io::{Read, Write};
use std::process::ExitCode;

/// Reads a document of settings from `input` and writes the mistakes in it to `output`, a line each.
/// Blocks until the connectors have checked it.
///
/// # Errors
/// What keeps it from checking.
pub fn check(mut input: impl Read, mut output: impl Write) -> Result<ExitCode, String> {
    let mut text = Vec::new();
    input
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| format!("settings: {error}"))?;
    let mut sound = true;
    for (module, settings) in document.modules {
        let connector = CONNECTORS.iter().find(|connector| connector.name == module);
        let connector = connector.ok_or_else(|| format!("this build has no connector {module}"))?;
        for mistake in connector
            .check
            .map_or_else(Vec::new, |check| check(settings))
        {
            sound = false;
            let line = mistake.replace(['\n', '\r'], " ");
            writeln!(output, "{line}").map_err(|error| error.to_string())?;
        }
    }
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
