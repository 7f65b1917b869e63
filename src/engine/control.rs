//! The end: when it comes, and how long it may take.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for a byte on `control` or for its end: the supervisor wants the engine to end, or died.
///
/// The engine's life belongs to its supervisor: signals that a terminal or a service manager sends
/// to every process of a service are ignored, or the drain would be cut short.
pub(super) fn wait_for_end(control: OwnedFd) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let ended = runtime.map_err(|error| error.to_string())?.block_on(async {
        let ignored = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ];
        let _kept: Vec<_> = ignored.into_iter().map(signal).collect::<Result<_, _>>()?;
        let control = UnixStream::from(control);
        control.set_nonblocking(true)?;
        let mut control = tokio::net::UnixStream::from_std(control)?;
        control.read(&mut [0]).await
    });
    // A broken control socket means the same as a closed one.
    ended.map(|_| ()).or_else(|error| {
        log::warn!("the supervisor is gone: {error}");
        Ok(())
    })
}

/// Waits until `running` connectors reported their end, up to `limit`.
pub(super) fn wait_for_drain(
    finished: &mpsc::Receiver<&'static str>,
    running: usize,
    limit: Duration,
) -> ExitCode {
    let deadline = Instant::now() + limit;
    for done in 0..running {
        if finished
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_err()
        {
            let late = running - done;
            log::error!("{late} connectors did not deliver everything within {limit:?}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
