//! Takes the lanes' frames into the clients' buffers. A frame is released as soon as it is there:
//! no client can hold up a lane.
//!
//! The one exception is back-pressure: while a client that reads has half its buffer full, one batch
//! is taken each time a client has made progress, or each [`SLICE`], so that a burst is slowed down
//! instead of costing that client its connection. A client that takes less than [`GOOD_BYTES`] in
//! [`LOOK`] is not waited for any more until it has caught up.

use super::presence::Presence;
use super::protocol::Run;
use crate::link::{Mark, Outbound};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Most bytes taken from the lanes before they are given to the clients. With what a buffer has to spare it stays below
/// what the allocator maps and unmaps each time (`MALLOC_MMAP_THRESHOLD_`, set by the supervisor).
const BATCH_BYTES: usize = 96 * 1024;

/// Much shorter than calls wait for room in their lanes.
const SLICE: Duration = Duration::from_millis(2);
const LOOK: Duration = Duration::from_millis(100);
const GOOD_BYTES: u64 = 256 * 1024;

/// At the end: how long nothing may move before what waits is given up.
const STUCK: Duration = Duration::from_millis(500);

/// Runs until the engine drains and everything is written that clients take.
pub(super) async fn run(
    presence: Rc<Presence>,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
) {
    let batch = BATCH_BYTES.min(presence.settings.client_buffer_bytes / 4);
    let mut run = Run::default();
    let mut mark = Mark::default();
    let mut draining = false;
    loop {
        hold_back(&presence, batch).await;
        let taken = outbound.take(batch, |frame| run.obey(&presence, frame));
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

/// Returns when the next batch may be taken: at once, after a client's progress or [`SLICE`], or, where a buffer has no
/// room for it, when it has or its client turned out to be slow.
async fn hold_back(presence: &Presence, batch: usize) {
    while let Some(full) = behind(presence, batch) {
        let limit = if full { LOOK } else { SLICE };
        drop(timeout(limit, presence.progress.notified()).await);
        if !full {
            return;
        }
    }
}

/// Whether a client that reads has half its buffer full, and whether one of them has no room.
fn behind(presence: &Presence, batch: usize) -> Option<bool> {
    let limit = presence.settings.client_buffer_bytes;
    let spare = batch.max(presence.settings.common.message_bytes_max);
    let full = limit - spare.min(limit / 2);
    let mut found = None;
    for client in presence.everybody() {
        let buffered = client.buffered();
        if client.slow.get() || buffered <= limit / 2 {
            continue;
        }
        let (now, written) = (Instant::now(), client.written.get());
        match client.look.get() {
            Some((since, _)) if now - since < LOOK => {}
            Some((_, before)) if written - before < GOOD_BYTES => {
                client.slow.set(true);
                continue;
            }
            _ => client.look.set(Some((now, written))),
        }
        found = Some(found.unwrap_or(false) || buffered > full);
    }
    found
}
