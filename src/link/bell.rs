//! Turns the doorbell's eventfd into wake-ups of the connector's tasks.

use crate::shm::inherit::readable;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tokio::sync::{Notify, watch};

/// Spawns a task that wakes everybody in `notifies` at each ring. Those who are not waiting look
/// once more than they need to. What is returned changes at each ring.
pub(super) fn answer(
    waker: OwnedFd,
    notifies: Vec<Rc<Notify>>,
) -> io::Result<watch::Receiver<u64>> {
    let waker = readable(waker)?;
    let (rung, rings) = watch::channel(0_u64);
    tokio::task::spawn_local(async move {
        let mut count = [0; 8];
        while let Ok(mut ready) = waker.readable().await {
            // Reading resets the eventfd; how often it was rung is of no interest.
            if let Ok(Ok(_)) = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut count)?)) {
                notifies.iter().for_each(|notify| notify.notify_one());
                rung.send_modify(|rings| *rings = rings.wrapping_add(1));
            }
        }
    });
    Ok(rings)
}
