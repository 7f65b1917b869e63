//! The supervisor: a Kamailio child of one thread that keeps the engine running.
//!
//! It never ends while Kamailio runs, because a dead child takes the whole server down. When told
//! to stop, or when Kamailio's main process is gone, it lets the engine drain and then ends.
#![forbid(unsafe_code)]

mod process;
mod run;

pub use run::{Supervised, run};

use std::io;
use std::path::PathBuf;

/// Arguments between supervisor and engine: descriptors by number.
pub mod argument {
    /// The region.
    pub const REGION: &str = "region-fd";
    /// Told to drain by a byte or by its end.
    pub const CONTROL: &str = "control-fd";
    /// Log records, one datagram each: the level's number as an `i8`, then the text.
    pub const LOG: &str = "log-fd";
    /// A module's doorbell, as `name=fd`.
    pub const DOORBELL: &str = "doorbell-fd";
    /// A module's listening socket, as `name.setting=fd`: the setting's number comes from 0.
    pub const LISTENER: &str = "listener-fd";
}

/// The longest log record, in bytes.
pub const LOG_RECORD_BYTES_MAX: usize = 4096;

/// Where the engine's program is: beside this library.
///
/// # Errors
/// That it is not there.
pub fn engine_path() -> io::Result<PathBuf> {
    let library = crate::host::library::path()?;
    let engine = library.with_file_name("sipbus-engine");
    match rustix::fs::access(&engine, rustix::fs::Access::EXEC_OK) {
        Ok(()) => Ok(engine),
        Err(error) => Err(io::Error::new(
            io::Error::from(error).kind(),
            format!(
                "the engine {} cannot be executed: {error}",
                engine.display()
            ),
        )),
    }
}
