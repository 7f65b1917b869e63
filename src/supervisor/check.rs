//! Settings that only the engine's libraries understand are checked by the engine's program, which a
//! starting Kamailio runs once for it.

use super::{argument, engine_environment, engine_path};
use crate::engine_document::Document;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Has the engine check the settings of `module`. Blocks until it has.
///
/// # Errors
/// Every mistake, as a sentence; or what kept the engine from checking.
pub fn check(module: &str, settings: &serde_json::Value) -> Result<(), Vec<String>> {
    match run(module, settings) {
        Ok(mistakes) if mistakes.is_empty() => Ok(()),
        Ok(mistakes) => Err(mistakes),
        Err(error) => Err(vec![format!("the settings cannot be checked: {error}")]),
    }
}

fn run(module: &str, settings: &serde_json::Value) -> io::Result<Vec<String>> {
    let document = Document {
        drain_timeout_ms: 0,
        modules: BTreeMap::from([(module.to_owned(), settings.clone())]),
    };
    let document = serde_json::to_vec(&document)?;
    let mut command = Command::new(engine_path()?);
    command
        .arg(format!("--{}", argument::CHECK))
        .env_clear()
        .envs(engine_environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut engine = command.spawn()?;
    if let Some(mut input) = engine.stdin.take() {
        // One that does not read to the end says why by its answer.
        drop(input.write_all(&document));
    }
    let output = engine.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let mistakes: Vec<String> = told.lines().map(str::to_owned).collect();
    if mistakes.is_empty() && !output.status.success() {
        let status = output.status;
        return Err(io::Error::other(format!("the engine ended with {status}")));
    }
    Ok(mistakes)
}
