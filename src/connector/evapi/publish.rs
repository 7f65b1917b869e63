//! Takes the lanes' frames into the clients' buffers. A frame is released as soon as it is there:
//! no client can hold up a lane.
//!
//! The one exception is back-pressure: while a client that reads well has half its buffer full,
//! nothing is taken, so that a burst is slowed down instead of costing that client its connection.
//! A client that takes less than [`GOOD_BYTES`] in [`LOOK`] is not waited for any more until it has
//! caught up: a client that does not read costs one such pause, once.

use super::presence::Presence;
use super::protocol::Run;
use crate::link::{Mark, Outbound};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes taken from the lanes before they are given to the clients.
const BATCH_BYTES: usize = 128 * 1024;

const LOOK: Duration = Duration::from_millis(20);
const GOOD_BYTES: u64 = 256 * 1024;

/// At the end: how long nothing may move before what waits is given up.
const STUCK: Duration = Duration::from_millis(500);

/// Runs until the engine drains and everything is written that clients take.
pub(super) async fn run(
    presence: Rc<Presence>,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut run = Run::default();
    let mut mark = Mark::default();
    let mut draining = false;
    loop {
        hold_back(&presence).await;
        let taken = outbound.take(BATCH_BYTES, |frame| run.obey(&presence, frame));
        run.end(&presence);
        if taken {
            outbound.mark(&mut mark);
            outbound.release(&mark);
            // The clients' tasks have their turn.
            tokio::task::yield_now().await;
            continue;
        }
        if draining {
            outbound.close();
            if outbound.is_empty() {
                break;
            }
            continue;
        }
        tokio::select! {
            () = outbound.ready() => {}
            _ = drain.wait_for(|drain| *drain) => {
                draining = true;
                presence.draining();
            }
        }
    }
    while presence
        .everybody()
        .iter()
        .any(|client| client.buffered() > 0)
    {
        if timeout(STUCK, presence.progress.notified()).await.is_err() {
            break;
        }
    }
}

async fn hold_back(presence: &Presence) {
    let enough = presence.settings.client_buffer_bytes / 2;
    let mut crowded = Vec::new();
    loop {
        crowded.clear();
        let clients = presence.everybody().into_iter();
        crowded.extend(
            clients
                .filter(|client| client.buffered() > enough && !client.slow.get())
                .map(|client| (client.written.get(), client)),
        );
        if crowded.is_empty() {
            return;
        }
        let deadline = Instant::now() + LOOK;
        while crowded.iter().any(|(_, client)| client.buffered() > enough) {
            if timeout_at(deadline, presence.progress.notified())
                .await
                .is_err()
            {
                for (before, client) in &crowded {
                    if client.written.get() - before < GOOD_BYTES {
                        client.slow.set(true);
                    }
                }
                break;
            }
        }
    }
}
