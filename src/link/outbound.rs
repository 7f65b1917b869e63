//! Frames on their way out: taken in order per lane, released when the peer has them.

use super::lane::{Lane, Turn, Verdict};
use crate::module::taken;
use crate::shm::doorbell::Doorbell;
use crate::shm::lane::LaneEnd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long the lanes are looked at again before sleep, after a time when that was in vain and after
/// one when it was not. Waking a sleeper costs the producer a system call, so within a burst it pays
/// to stay up; a lone message costs the short look only.
const LOOK: Duration = Duration::from_micros(2);
const LOOK_LONG: Duration = Duration::from_micros(50);

/// All lanes of a module.
#[derive(Debug)]
pub struct Outbound {
    lanes: Vec<Lane>,
    bell: &'static Doorbell,
    notify: Rc<Notify>,
    /// Whose turn it is.
    turn: usize,
    /// How long to look again; none where a single processor would keep the producer waiting.
    look: Option<Duration>,
}

/// A point in every lane: everything before it was sent.
#[derive(Debug, Default)]
pub struct Mark {
    lanes: Vec<Turn>,
}

impl Mark {
    /// Counts one of the frames before this mark as refused by the peer.
    pub fn reject_one(&mut self) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.sent > 0) {
            lane.sent -= 1;
            lane.rejected += 1;
        }
    }
}

impl Outbound {
    pub(super) fn new(lanes: Vec<LaneEnd>, bell: &'static Doorbell, notify: Rc<Notify>) -> Self {
        let lanes = lanes.into_iter().map(Lane::new).collect();
        bell.awake();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            lanes,
            bell,
            notify,
            turn: 0,
            look: (processors > 1).then_some(LOOK),
        }
    }

    /// Takes frames, a few from each lane in turn, until `each` has sent frames of cost `cost_max`, one has
    /// to wait, or there are no more. True if any was taken.
    pub fn take(&mut self, cost_max: usize, mut each: impl FnMut(&[u8]) -> Verdict) -> bool {
        let (mut cost, mut taken, mut idle) = (0, false, 0);
        let count = self.lanes.len();
        while idle < count && cost < cost_max {
            self.turn = (self.turn + 1) % count;
            let Some(lane) = self.lanes.get_mut(self.turn) else {
                break;
            };
            let turn = lane.turn(cost_max - cost, &mut |_, frame| each(frame));
            cost += turn.cost;
            taken |= turn.any;
            if turn.held {
                self.turn = (self.turn + count - 1) % count;
                break;
            }
            idle = if turn.any { 0 } else { idle + 1 };
        }
        taken
    }

    /// How many lanes there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The next lane in turn that has something to take, of those that `may`.
    pub fn next(&mut self, may: impl Fn(usize) -> bool) -> Option<usize> {
        for _ in 0..self.lanes.len() {
            self.turn = (self.turn + 1) % self.lanes.len();
            if let Some(lane) = self.lanes.get_mut(self.turn)
                && may(self.turn)
                && lane.has_some()
            {
                return Some(self.turn);
            }
        }
        None
    }

    /// Takes frames from a lane, up to a cost of `cost_max` or a few; `each` is also told how many were taken before it in
    /// this turn. None if there are no more, or the first has to wait.
    pub fn turn(
        &mut self,
        lane: usize,
        cost_max: usize,
        mut each: impl FnMut(usize, &[u8]) -> Verdict,
    ) -> Option<Turn> {
        let index = lane;
        let lane = self.lanes.get_mut(index)?;
        let any = lane.turn(cost_max, &mut each).any;
        if any { lane.mark(index) } else { None }
    }

    /// The peer is done with those frames of `turn` that the bits of `settled` stand for, from the lowest on, and has refused
    /// those of `refused`, but it is not done with older ones. They are counted, and not taken again,
    /// also not by the engine after this one.
    pub fn settle(&mut self, turn: &mut Turn, settled: u64, refused: u64) {
        let Some(lane) = self.lanes.get_mut(turn.index) else {
            return;
        };
        lane.end.settle(turn.from, turn.cursor, |number| {
            number < 64 && settled >> number & 1 == 1
        });
        let all = u64::from(settled.count_ones()).min(turn.sent);
        let rejected = u64::from((settled & refused).count_ones()).min(all);
        turn.sent -= all;
        lane.end.count(taken::DELIVERED, all - rejected);
        lane.end.count(taken::REJECTED, rejected);
    }

    /// Marks everything taken since the last mark.
    pub fn mark(&mut self, mark: &mut Mark) {
        mark.lanes.clear();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            mark.lanes.extend(lane.mark(index));
        }
    }

    /// The peer has everything before `mark`: frees it. Marks are released in their order.
    pub fn release(&mut self, mark: &Mark) {
        for turn in &mark.lanes {
            self.release_turn(turn);
        }
    }

    /// The peer has everything that was taken in `turn`: frees it. The turns of a lane are released in
    /// their order.
    pub fn release_turn(&mut self, turn: &Turn) {
        if let Some(lane) = self.lanes.get_mut(turn.index) {
            lane.end.count(taken::DELIVERED, turn.sent);
            lane.end.count(taken::REJECTED, turn.rejected);
            lane.end.count(taken::OBEYED, turn.obeyed);
            lane.end.release(turn.cursor);
        }
    }

    /// The peer is gone: everything not released is taken again, but for what was settled.
    pub fn rewind(&mut self) {
        self.lanes.iter_mut().for_each(Lane::rewind);
    }

    /// Shows the frames that are there to be taken, and takes none.
    pub fn look(&mut self, mut each: impl FnMut(&[u8])) {
        for lane in &mut self.lanes {
            let before = lane.end.cursor();
            while !lane.broken
                && let Ok(Some(frame)) = lane.end.take()
            {
                each(frame);
            }
            lane.end.back_to(before);
        }
    }

    /// True if there is nothing to take.
    pub fn is_empty(&mut self) -> bool {
        self.has_none(|_| true)
    }

    fn has_none(&mut self, may: impl Fn(usize) -> bool) -> bool {
        let lanes = self.lanes.iter_mut().enumerate();
        !{ lanes }.any(|(index, lane)| may(index) && lane.has_some())
    }

    /// Waits until there is something to take. May be dropped and called again at any time.
    pub async fn ready(&mut self) {
        self.ready_among(|_| true).await;
    }

    /// As [`ready`](Self::ready), for lanes that `may`.
    pub async fn ready_among(&mut self, may: impl Fn(usize) -> bool) {
        while self.has_none(&may) {
            if self.look_again(&may).await {
                return;
            }
            // Only the latest announcement counts; rings are told by the eventfd.
            _ = self.bell.asleep();
            if self.has_none(&may) {
                self.notify.notified().await;
            }
            self.bell.awake();
        }
    }

    /// True if there is something to take, after a short look in which other tasks have their turns.
    async fn look_again(&mut self, may: &impl Fn(usize) -> bool) -> bool {
        let Some(look) = self.look else { return false };
        let end = Instant::now() + look;
        loop {
            tokio::task::yield_now().await;
            if !self.has_none(may) {
                self.look = Some(LOOK_LONG);
                return true;
            }
            if Instant::now() >= end {
                self.look = Some(LOOK);
                return false;
            }
        }
    }

    /// Accepts nothing more: submitting processes are told so. What was accepted before can still
    /// be taken.
    pub fn close(&mut self) {
        self.bell.close();
    }
}
