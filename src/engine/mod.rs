//! The engine: what the `sipbus-engine` program does.
//!
//! Each connector has a thread with a runtime of its own, so that a busy one delays no other. The
//! main thread waits for the supervisor's word and bounds the drain.
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod connector;
mod control;
mod record;

pub use arguments::{Arguments, Task};
pub use check::check;

use crate::connector::CONNECTORS;
use crate::engine_document::Document;
use crate::shm::region::Region;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::watch;

/// Runs the engine until the supervisor tells it to end, or is gone. Blocks until then.
///
/// # Errors
/// What keeps it from starting.
pub fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let Arguments {
        region,
        settings,
        control,
        log,
        mut doorbells,
        mut listeners,
    } = arguments;
    let region = Region::open(region).map_err(|error| error.to_string())?;
    record::install(log, &region.head().engine)?;
    let document = Document::load(settings).map_err(|error| format!("settings: {error}"))?;
    let (drain, draining) = watch::channel(false);
    let (done, finished) = mpsc::channel();
    let mut running = 0;
    for (index, plan) in region.plan().modules.iter().enumerate() {
        let connector = CONNECTORS
            .iter()
            .find(|connector| connector.name == plan.name);
        let connector =
            connector.ok_or_else(|| format!("this build has no connector {}", plan.name))?;
        let settings = document
            .modules
            .get(&plan.name)
            .cloned()
            .unwrap_or_default();
        let waker = doorbells.remove(&plan.name);
        let waker = waker.ok_or_else(|| format!("{} has no doorbell", plan.name))?;
        let listeners = listeners
            .extract_if(.., |(name, ..)| *name == plan.name)
            .map(|(_, setting, fd)| (setting, fd))
            .collect();
        let needs = connector::Needs {
            region,
            index,
            waker,
            listeners,
            settings,
            drain: draining.clone(),
        };
        connector::start(connector, needs, done.clone()).map_err(|error| error.to_string())?;
        running += 1;
    }
    control::wait_for_end(control)?;
    // No receiver means that every connector is gone.
    _ = drain.send(true);
    let limit = Duration::from_millis(document.drain_timeout_ms);
    Ok(control::wait_for_drain(&finished, running, limit))
}
