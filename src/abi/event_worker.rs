//! What the event workers of all modules do: find their inbox, and wait for what is in it.

use super::instance;
use crate::host::{Level, log};
use crate::shm::inbox::Inbox;

/// The inbox of a module's worker; None if there is no such worker.
pub(super) fn inbox(module: &str, worker: usize) -> Option<Inbox> {
    let instance = instance::get()?;
    let index = instance.index(module)?;
    Inbox::attach(instance.region, index, worker, instance.wakers.get(index)?)
}

/// Waits for the next frame; None if the inbox is broken, which is logged.
pub(super) fn wait(module: &str, inbox: &mut Inbox) -> Option<&'static [u8]> {
    match inbox.wait() {
        Ok(frame) => Some(frame),
        Err(error) => {
            let text = format!("{module}: the worker's inbox is broken: {error}");
            log(Level::Error, &text);
            None
        }
    }
}

/// Waits for the next frame that `take` makes something of; others are done with. None if the inbox
/// is broken, which is logged.
pub(super) fn next<T>(
    module: &str,
    inbox: &mut Inbox,
    mut take: impl FnMut(&mut Inbox, &'static [u8]) -> Option<T>,
) -> Option<T> {
    loop {
        let frame = wait(module, inbox)?;
        match take(inbox, frame) {
            Some(taken) => return Some(taken),
            None => inbox.done(),
        }
    }
}
