//! Events on their way to one event worker.

use crate::shm::inbox::InboxEnd;
use crate::shm::ring::Ring;
use std::rc::Rc;
use tokio::sync::Notify;

/// The engine's end of an inbox.
#[derive(Debug)]
pub struct Inbound {
    end: InboxEnd,
    room: Rc<Notify>,
    worker: usize,
    /// The lanes of all processes.
    lanes: Rc<[Ring]>,
    /// Everything before this place was handled, and what was submitted meanwhile was released.
    settled: u64,
    /// The place that will be settled next, and the place in the worker's lane that must be released first.
    settling: Option<(u64, u64)>,
}

/// The event is larger than the inbox.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The largest that fits, in bytes.
    pub event_bytes_max: usize,
}

impl Inbound {
    pub(super) fn new(end: InboxEnd, room: Rc<Notify>, worker: usize, lanes: Rc<[Ring]>) -> Self {
        Self {
            end,
            room,
            worker,
            lanes,
            settled: 0,
            settling: None,
        }
    }

    /// The number of the event worker.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// The place behind the last event staged, for [`handled`](Self::handled).
    #[must_use]
    pub fn position(&self) -> u64 {
        self.end.position()
    }

    /// True if the worker has handled everything before `position`, and what its process submitted until
    /// then was released: nothing that another worker submits later can overtake it.
    #[must_use]
    pub fn is_settled(&mut self, position: u64) -> bool {
        let process = self.end.process();
        let Some(lane) = process.and_then(|process| self.lanes.get(process)) else {
            return false;
        };
        // A busy worker's lane may never be found empty: it is enough that it came so far.
        while self.settled < position {
            let (handled, submitted) = match self.settling {
                Some(next) => next,
                None => {
                    let handled = self.end.released();
                    if handled == self.settled {
                        return false;
                    }
                    *self.settling.insert((handled, lane.written()))
                }
            };
            if lane.released() < submitted {
                return false;
            }
            (self.settled, self.settling) = (handled, None);
        }
        true
    }

    /// True if the worker has still to handle something before `position`.
    #[must_use]
    pub fn has_waiting(&self, position: u64) -> bool {
        self.end.released() < position
    }

    /// Up to where the worker has handled events.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.end.released()
    }

    /// Asks to be told, by [`Link::rings`](super::Link::rings), when everything before `position` is
    /// handled. Look at [`handled`](Self::handled) afterwards: it may be so already.
    pub fn want_handled(&mut self, position: u64) {
        self.end.want_handled(position);
    }

    /// Bytes of events that wait or are being handled.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.end.position().saturating_sub(self.end.released())
    }

    /// Nanoseconds that an event took the worker lately; 0 as long as it is unknown.
    #[must_use]
    pub fn pace(&self) -> u64 {
        self.end.pace()
    }

    /// Puts an event made of `parts` behind the others; [`deliver`](Self::deliver) shows it.
    /// Waits while the inbox is full. Dropping the future before it is done puts nothing.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub async fn stage(&mut self, parts: &[&[u8]]) -> Result<(), TooLarge> {
        if self.end.stage(parts).is_ok() {
            return Ok(());
        }
        self.room_for(parts.iter().map(|part| part.len()).sum())
            .await?;
        // It fits, and this is the only producer.
        self.end.stage(parts).map_err(|_| TooLarge {
            event_bytes_max: self.end.event_bytes_max(),
        })
    }

    /// Waits until there is room for an event of `bytes`; what was staged before is shown meanwhile.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub async fn room_for(&mut self, bytes: usize) -> Result<(), TooLarge> {
        if bytes > self.end.event_bytes_max() {
            return Err(TooLarge {
                event_bytes_max: self.end.event_bytes_max(),
            });
        }
        self.end.deliver();
        loop {
            self.end.want_room();
            if self.end.fits(bytes) {
                return Ok(());
            }
            self.room.notified().await;
        }
    }

    /// As [`stage`](Self::stage), but gives up at once when the inbox is full: false.
    pub fn try_stage(&mut self, parts: &[&[u8]]) -> bool {
        self.end.stage(parts).is_ok()
    }

    /// After [`try_stage`](Self::try_stage) was in vain: asks to be told of room, by
    /// [`Link::rings`](super::Link::rings). True if an event of `bytes` fits already.
    pub fn want_room(&mut self, bytes: usize) -> bool {
        self.end.want_room();
        self.end.fits(bytes)
    }

    /// Shows what was staged and wakes the worker if it sleeps.
    pub fn deliver(&mut self) {
        self.end.deliver();
    }

    /// The largest event that fits, in bytes.
    #[must_use]
    pub fn event_bytes_max(&self) -> usize {
        self.end.event_bytes_max()
    }

    /// Adds to a counter of this inbox.
    pub fn count(&self, slot: usize, n: u64) {
        self.end.count(slot, n);
    }
}
