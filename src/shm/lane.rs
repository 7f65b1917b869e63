//! A lane: how one Kamailio process hands frames of one module to the engine.
//!
//! The rule for a full lane: while the engine is draining it, the caller waits for room, for a
//! bounded time. Where nothing was drained since the last such wait, the answer is at once. So a
//! burst gets back-pressure, and a dead peer costs a worker one short wait, once.

use super::counter::{Counter, add};
use super::doorbell::{Doorbell, futex_wake, wait_rung};
#[cfg(not(sipbus_loom))]
use super::region::Region;
use super::ring::{Consumer, Corrupt, Producer, Ring};
use super::waker::Waker;
use std::time::{Duration, Instant};

/// Why a frame was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No room, and the peer takes nothing.
    Full,
    /// The frame is over the lane's size.
    TooLarge,
    /// The engine is stopping.
    Closed,
}

/// The producing end, owned by one Kamailio process.
#[derive(Debug)]
pub struct Lane {
    producer: Producer,
    /// Rung by the engine when there is room again.
    room: &'static Doorbell,
    /// Rung when there are frames.
    bell: &'static Doorbell,
    waker: &'static Waker,
    wait: Duration,
    counters: &'static [Counter],
    /// Where the consumer stood when a wait for room was in vain.
    stalled_at: Option<u64>,
}

impl Lane {
    /// Attaches to the lane of `process`, which must be the calling one. `wait` bounds each wait
    /// for room. None if the region has no such lane.
    #[cfg(not(sipbus_loom))]
    #[must_use]
    pub fn attach(
        region: &Region,
        module: usize,
        process: usize,
        waker: &'static Waker,
        wait: Duration,
    ) -> Option<Self> {
        let (header, ring) = region.lane(module, process)?;
        let bell = &region.module(module).bell;
        let mut lane = Self::new(ring, &header.room, bell, waker, wait);
        lane.counters = &header.submitted;
        Some(lane)
    }

    /// A lane in `ring`, whose consumer rings `room` and is rung by `bell` and woken by `waker`. It counts nothing.
    #[must_use]
    pub fn new(
        ring: Ring,
        room: &'static Doorbell,
        bell: &'static Doorbell,
        waker: &'static Waker,
        wait: Duration,
    ) -> Self {
        Self {
            producer: Producer::attach(ring),
            room,
            bell,
            waker,
            wait,
            counters: &[],
            stalled_at: None,
        }
    }

    /// Hands over one frame made of `parts`. Blocks only by the rule above.
    ///
    /// # Errors
    /// A [`Refusal`], and nothing was handed over. (After [`Refusal::Closed`] the engine may still
    /// have taken it: the stop overtook the call.)
    pub fn submit(&mut self, parts: &[&[u8]]) -> Result<(), Refusal> {
        if self.producer.stage(parts).is_err() {
            let bytes = parts.iter().map(|part| part.len()).sum();
            self.wait_for_room(bytes)?;
            self.producer.stage(parts).map_err(|_| Refusal::Full)?;
        }
        self.producer.commit();
        self.bell
            .ring(|_| self.waker.wake())
            .map_err(|_| Refusal::Closed)
    }

    #[cold]
    fn wait_for_room(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes > self.producer.ring().frame_bytes_max() {
            return Err(Refusal::TooLarge);
        }
        if self.bell.is_closed() {
            return Err(Refusal::Closed);
        }
        if self.stalled_at == Some(self.producer.released()) {
            return Err(Refusal::Full);
        }
        let deadline = Instant::now() + self.wait;
        loop {
            let sleep = self.room.asleep();
            if self.producer.fits(bytes) {
                self.room.awake();
                self.stalled_at = None;
                return Ok(());
            }
            if !wait_rung(self.room, sleep, Some(deadline)) {
                self.room.awake();
                self.stalled_at = Some(self.producer.released());
                // A release may have come between the time-out and here.
                return if self.producer.fits(bytes) {
                    Ok(())
                } else {
                    Err(Refusal::Full)
                };
            }
        }
    }

    /// Adds to counter `slot` of this process.
    pub fn count(&self, slot: usize, n: u64) {
        add(self.counters, slot, n);
    }
}

/// The consuming end, owned by the engine.
#[derive(Debug)]
pub struct LaneEnd {
    consumer: Consumer,
    room: &'static Doorbell,
    counters: &'static [Counter],
}

impl LaneEnd {
    /// Attaches at the oldest frame that was not released. None if there is no such lane.
    #[cfg(not(sipbus_loom))]
    #[must_use]
    pub fn attach(region: &Region, module: usize, process: usize) -> Option<Self> {
        let (header, ring) = region.lane(module, process)?;
        let mut end = Self::new(ring, &header.room);
        end.counters = &header.taken;
        Some(end)
    }

    /// The end of the lane in `ring`, whose producer waits at `room`. It counts nothing.
    #[must_use]
    pub fn new(ring: Ring, room: &'static Doorbell) -> Self {
        Self {
            consumer: Consumer::attach(ring),
            room,
            counters: &[],
        }
    }

    /// Takes the next frame; it stays valid until released.
    ///
    /// # Errors
    /// [`Corrupt`]: nothing more can be taken from this lane.
    pub fn take(&mut self) -> Result<Option<&'static [u8]>, Corrupt> {
        self.consumer.take()
    }

    /// Whether the frame that was taken last had been [`settle`](Self::settle)d before, perhaps by an engine that died.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.consumer.is_settled()
    }

    /// The peer is done with those of the frames between two earlier [`cursor`](Self::cursor)s that `which` names, counted
    /// from 0, but not with an older one: they are not to be sent again.
    pub fn settle(&mut self, from: u64, to: u64, which: impl Fn(usize) -> bool) {
        self.consumer.settle(from, to, which);
    }

    /// True if there is nothing to take.
    pub fn is_empty(&mut self) -> bool {
        self.consumer.is_empty()
    }

    /// The position behind the last frame taken.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.consumer.cursor()
    }

    /// Frees every frame before `position`: the peer has them.
    pub fn release(&mut self, position: u64) {
        self.consumer.release(position);
        // Closed is a word for the data bell only.
        _ = self.room.ring(futex_wake);
    }

    /// Goes back to `position`, an earlier [`cursor`](Self::cursor) that was not released.
    pub fn back_to(&mut self, position: u64) {
        self.consumer.back_to(position);
    }

    /// Goes back to the oldest frame that was not released.
    pub fn rewind(&mut self) {
        self.consumer.rewind();
    }

    /// Adds to counter `slot` of the engine for this lane.
    pub fn count(&self, slot: usize, n: u64) {
        add(self.counters, slot, n);
    }
}
