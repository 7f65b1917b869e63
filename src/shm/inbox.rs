//! An inbox: how the engine hands events to one event worker.
//!
//! A full inbox makes the engine stop reading from its source; nothing is dropped.

use super::counter::{Counter, add};
use super::doorbell::{Doorbell, futex_wake, wait_rung};
#[cfg(not(sipbus_loom))]
use super::layout::InboxHeader;
use super::look::Rhythm;
#[cfg(not(sipbus_loom))]
use super::region::Region;
use super::ring::{Consumer, Corrupt, Full, Producer, Ring};
use super::waker::Waker;
use crate::primitive::{Ordering, fence};
use std::time::{Duration, Instant};

/// What both ends share beside the ring.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Rung by the engine when there are events.
    pub bell: &'static Doorbell,
    /// Rung by the event worker when there is room again.
    pub room: &'static Doorbell,
    /// One more than the number of the event worker's process; 0 as long as it has handled nothing.
    pub process: &'static Counter,
    /// Nanoseconds that an event took the worker lately.
    pub pace: &'static Counter,
    /// Up to where events must be handled before `room` is rung.
    pub notice: &'static Counter,
}

#[cfg(not(sipbus_loom))]
impl Words {
    fn of(header: &'static InboxHeader) -> Self {
        Self {
            bell: &header.bell,
            room: &header.room,
            process: &header.process,
            pace: &header.pace,
            notice: &header.notice,
        }
    }
}

/// The engine's end.
#[derive(Debug)]
pub struct InboxEnd {
    producer: Producer,
    words: Words,
    counters: &'static [Counter],
}

impl InboxEnd {
    /// Attaches behind the last event delivered. None if there is no such inbox.
    #[cfg(not(sipbus_loom))]
    #[must_use]
    pub fn attach(region: &Region, module: usize, inbox: usize) -> Option<Self> {
        let (header, ring) = region.inbox(module, inbox)?;
        let mut end = Self::new(ring, Words::of(header));
        end.counters = &header.delivered;
        Some(end)
    }

    /// The end of the inbox in `ring`. It counts nothing.
    #[must_use]
    pub fn new(ring: Ring, words: Words) -> Self {
        // An engine that was killed may have delivered without waking the worker.
        _ = words.bell.ring(futex_wake);
        Self {
            producer: Producer::attach(ring),
            words,
            counters: &[],
        }
    }

    /// Puts an event made of `parts` behind the others, without showing it yet. Not blocking.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn stage(&mut self, parts: &[&[u8]]) -> Result<(), Full> {
        self.producer.stage(parts)
    }

    /// Shows what was staged and wakes the worker if it sleeps.
    pub fn deliver(&mut self) {
        if self.producer.is_dirty() {
            self.producer.commit();
            // Workers do not close their doorbell.
            _ = self.words.bell.ring(futex_wake);
        }
    }

    /// The position behind the last event staged.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.producer.staged()
    }

    /// Up to where the worker has handled events. What it submitted meanwhile is seen after this.
    #[must_use]
    pub fn released(&self) -> u64 {
        let position = self.producer.released();
        // SYNC room-visible: also orders the worker's lane, which it wrote before.
        fence(Ordering::Acquire);
        position
    }

    /// The number of the worker's process, once it has handled an event.
    #[must_use]
    pub fn process(&self) -> Option<usize> {
        usize::try_from(self.words.process.value().checked_sub(1)?).ok()
    }

    /// Nanoseconds that an event took the worker lately; 0 as long as it is unknown.
    #[must_use]
    pub fn pace(&self) -> u64 {
        self.words.pace.value()
    }

    /// Announces that this side waits for room; the worker then wakes the engine at the next
    /// release that leaves a quarter of the inbox free. Check [`fits`](Self::fits) afterwards.
    pub fn want_room(&mut self) {
        self.want_handled(0);
    }

    /// As [`want_room`](Self::want_room), but the engine is woken only when everything before
    /// `position` was handled. Check [`released`](Self::released) afterwards.
    pub fn want_handled(&mut self, position: u64) {
        self.words.notice.set(position);
        // The engine waits on the eventfd instead, as for its lanes.
        _ = self.words.room.asleep();
    }

    /// True if an event of `bytes` fits now.
    pub fn fits(&mut self, bytes: usize) -> bool {
        self.producer.fits(bytes)
    }

    /// The largest event that can ever fit, in bytes.
    #[must_use]
    pub fn event_bytes_max(&self) -> usize {
        self.producer.ring().frame_bytes_max()
    }

    /// Adds to counter `slot` of the engine for this inbox.
    pub fn count(&self, slot: usize, n: u64) {
        add(self.counters, slot, n);
    }
}

/// The event worker's end.
#[derive(Debug)]
pub struct Inbox {
    consumer: Consumer,
    words: Words,
    waker: &'static Waker,
    rhythm: Rhythm,
    counters: &'static [Counter],
}

impl Inbox {
    /// Attaches at the oldest event that was not handled. None if there is no such inbox.
    #[cfg(not(sipbus_loom))]
    #[must_use]
    pub fn attach(
        region: &Region,
        module: usize,
        inbox: usize,
        waker: &'static Waker,
    ) -> Option<Self> {
        let (header, ring) = region.inbox(module, inbox)?;
        let mut worker = Self::new(ring, Words::of(header), waker);
        worker.counters = &header.handled;
        Some(worker)
    }

    /// The inbox in `ring`, whose engine is woken by `waker`. It counts nothing.
    #[must_use]
    pub fn new(ring: Ring, words: Words, waker: &'static Waker) -> Self {
        Self {
            consumer: Consumer::attach(ring),
            words,
            waker,
            rhythm: Rhythm::new(Duration::ZERO),
            counters: &[],
        }
    }

    /// Looks for the next event for up to `limit` before it sleeps, while events come one by one and
    /// closer together than that.
    #[must_use]
    pub fn looking(mut self, limit: Duration) -> Self {
        self.rhythm = Rhythm::new(limit);
        self
    }

    /// Waits for the next event. It stays valid until [`done`](Self::done). Blocks.
    ///
    /// # Errors
    /// [`Corrupt`]: the inbox cannot be read any further.
    pub fn wait(&mut self) -> Result<&'static [u8], Corrupt> {
        loop {
            if let Some(event) = self.consumer.take()? {
                if let Some(pace) = self.rhythm.took() {
                    self.words.pace.set(pace);
                }
                return Ok(event);
            }
            let idle = Instant::now();
            if let Some(pace) = self.rhythm.pace(idle) {
                self.words.pace.set(pace);
            }
            let consumer = &mut self.consumer;
            if !self.rhythm.look(|| !consumer.is_empty()) {
                self.sleep();
            }
            self.rhythm.goes_on(idle);
        }
    }

    fn sleep(&mut self) {
        let sleep = self.words.bell.asleep();
        if self.consumer.is_empty() {
            wait_rung(self.words.bell, sleep, None);
        } else {
            self.words.bell.awake();
        }
    }

    /// Says which process this is, so that the engine can find its lane.
    pub fn belongs_to(&self, process: usize) {
        self.words.process.set(process as u64 + 1);
    }

    /// Releases the event taken last.
    pub fn done(&mut self) {
        let position = self.consumer.cursor();
        self.consumer.release(position);
        let size = self.consumer.ring().size();
        // Waking the engine for the room of one event would wake it for each.
        if size - self.consumer.backlog() >= size / 4 {
            // Looked at behind the fence of the doorbell: a late look would miss a new notice.
            let due = || position >= self.words.notice.value();
            // The engine does not close this doorbell.
            _ = self.words.room.ring_when(due, |_| self.waker.wake());
        }
    }

    /// Adds to counter `slot` of this worker.
    pub fn count(&self, slot: usize, n: u64) {
        add(self.counters, slot, n);
    }
}
