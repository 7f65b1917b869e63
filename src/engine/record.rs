//! Log records, sent to the supervisor, which prints them through Kamailio.

use crate::shm::layout::Engine;
use crate::supervisor::LOG_RECORD_BYTES_MAX;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

struct Relay {
    socket: UnixDatagram,
    engine: &'static Engine,
}

/// Makes `log`'s macros write to `socket`. A full socket costs records, never time; they are
/// counted.
///
/// # Errors
/// If a logger is set already or the socket is unusable.
pub(super) fn install(socket: OwnedFd, engine: &'static Engine) -> Result<(), String> {
    let socket = UnixDatagram::from(socket);
    socket
        .set_nonblocking(true)
        .map_err(|error| error.to_string())?;
    let relay = Box::new(Relay { socket, engine });
    log::set_boxed_logger(relay).map_err(|error| error.to_string())?;
    log::set_max_level(LevelFilter::Debug);
    Ok(())
}

impl Log for Relay {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Of libraries only what someone should look at.
        metadata.target().starts_with("sipbus") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Kamailio's numbers.
        let level: i8 = match record.level() {
            Level::Error => -1,
            Level::Warn => 0,
            Level::Info => 2,
            Level::Debug | Level::Trace => 3,
        };
        let mut text = String::from("?");
        // Writing to a String does not fail.
        _ = write!(text, "{}", record.args());
        let mut bytes = text.into_bytes();
        bytes.truncate(LOG_RECORD_BYTES_MAX);
        if let Some(first) = bytes.first_mut() {
            *first = level.cast_unsigned();
        }
        if self.socket.send(&bytes).is_err() {
            self.engine.log_dropped.add(1);
        }
    }

    fn flush(&self) {}
}
