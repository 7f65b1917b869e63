//! Turns the doorbell's eventfd into wake-ups of the connector's tasks.

use crate::shm::inherit::readable;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tokio::sync::Notify;

/// Spawns a task that wakes everybody in `notifies` at each ring. Those who are not waiting look
/// once more than they need to.
pub(super) fn answer(waker: OwnedFd, notifies: Vec<Rc<Notify>>) -> io::Result<()> {
    let waker = readable(waker)?;
    tokio::task::spawn_local(async move {
        let mut count = [0; 8];
        while let Ok(mut ready) = waker.readable().await {
            // Reading resets the eventfd; how often it was rung is of no interest.
            if let Ok(Ok(_)) = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut count)?)) {
                notifies.iter().for_each(|notify| notify.notify_one());
            }
        }
    });
    Ok(())
}
