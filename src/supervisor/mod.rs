//! The supervisor: a Kamailio child of one thread that keeps the engine running.
//!
//! It never ends while Kamailio runs, because a dead child takes the whole server down. When told
//! to stop, or when Kamailio's main process is gone, it lets the engine drain and then ends.
#![forbid(unsafe_code)]

mod check;
mod process;
mod run;

pub use check::check;
pub use run::{STOP_GRACE, Supervised, end_inboxes, run};

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// Arguments between supervisor and engine: descriptors by number.
pub mod argument {
    /// The region.
    pub const REGION: &str = "region-fd";
    /// The settings document.
    pub const SETTINGS: &str = "settings-fd";
    /// Told to drain by a byte or by its end.
    pub const CONTROL: &str = "control-fd";
    /// Log records, one datagram each: the level's number as an `i8`, then the text.
    pub const LOG: &str = "log-fd";
    /// A module's doorbell, as `name=fd`.
    pub const DOORBELL: &str = "doorbell-fd";
    /// Instead of all others: check the settings on standard input, write the mistakes to standard
    /// output.
    pub const CHECK: &str = "check";
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

/// How glibc's allocator (mallopt(3)) is to serve a program whose dozen threads are seldom busy, but get buffers of
/// some hundred KiB when a server was away: without a heap for each thread, and so that buffers of
/// that size go back to the system when they are freed instead of leaving holes.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// What of the environment the engine gets: what its libraries are asked to do by users, and what they are
/// asked by us where users do not.
fn engine_environment() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE"];
    let users = names
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let ours = ALLOCATOR
        .into_iter()
        .map(|(name, value)| (name, std::env::var_os(name).unwrap_or_else(|| value.into())));
    users.chain(ours)
}
