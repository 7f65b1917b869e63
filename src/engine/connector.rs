//! One connector's thread. A panic in it is a bug in sipbus: it is logged, and the connector starts
//! again at the oldest frame that was not released.

use crate::connector::Connector;
use crate::link::Link;
use crate::shm::region::Region;
use crate::shm::schedule::give_way;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::watch;

/// Pause before a connector that panicked starts again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a connector's thread needs.
pub(super) struct Needs {
    pub(super) region: &'static Region,
    pub(super) index: usize,
    pub(super) waker: OwnedFd,
    pub(super) listeners: Vec<(usize, OwnedFd)>,
    pub(super) settings: serde_json::Value,
    pub(super) drain: watch::Receiver<bool>,
}

/// Starts `connector` on a thread of its own; its name is sent to `done` when it has drained.
pub(super) fn start(
    connector: &'static Connector,
    needs: Needs,
    done: mpsc::Sender<&'static str>,
) -> io::Result<()> {
    std::thread::Builder::new()
        .name(connector.name.to_owned())
        .spawn(move || {
            if connector.gives_way
                && let Err(error) = give_way()
            {
                log::warn!("{}: its bursts take longer: {error}", connector.name);
            }
            loop {
                match catch_unwind(AssertUnwindSafe(|| run(connector, &needs))) {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => log::error!("{}: {error}", connector.name),
                    Err(_) => log::error!("{}: a bug in sipbus, starting again", connector.name),
                }
                std::thread::sleep(PAUSE);
            }
            // The engine ends without waiting when its time is over.
            _ = done.send(connector.name);
        })?;
    Ok(())
}

fn run(connector: &Connector, needs: &Needs) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let waker = needs.waker.try_clone().map_err(text)?;
    let listeners = needs
        .listeners
        .iter()
        .map(|(setting, fd)| Ok((*setting, fd.try_clone()?)))
        .collect::<io::Result<Vec<_>>>()
        .map_err(text)?;
    let runtime = runtime.map_err(text)?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, async {
        let link = Link::open(
            needs.region,
            needs.index,
            waker,
            listeners,
            needs.drain.clone(),
        );
        let link = link.map_err(text)?;
        (connector.run)(link, needs.settings.clone()).await
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    outcome
}
