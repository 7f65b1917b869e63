//! Frames on their way out: taken in order per lane, released when the peer has them.

use crate::module::taken;
use crate::shm::doorbell::Doorbell;
use crate::shm::lane::LaneEnd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Frames taken from one lane before it is the next one's turn.
const TURN_FRAMES: usize = 64;

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

#[derive(Debug)]
struct Lane {
    end: LaneEnd,
    /// Frames taken since the last mark.
    sent: u64,
    rejected: u64,
    /// Frames taken since the last mark that count as neither.
    obeyed: u64,
    /// Nothing sound can be read from it any more.
    broken: bool,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out; its cost, in bytes or what counts as many.
    Sent(usize),
    /// The peer would never take it.
    Rejected,
    /// It was a command to the connector, not for the peer.
    Obeyed,
    /// It has to wait, and all frames with it: it is the next one to be taken.
    Later,
}

/// What came of a lane's turn.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Anything was taken.
    any: bool,
    cost: usize,
    /// It ended at a frame that has to wait.
    held: bool,
}

/// A point in every lane: everything before it was sent.
#[derive(Debug, Default)]
pub struct Mark {
    lanes: Vec<Turn>,
}

/// What was taken from one lane in one turn, for peers that confirm frames in another order than they
/// were sent in.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    index: usize,
    cursor: u64,
    sent: u64,
    rejected: u64,
    obeyed: u64,
}

impl Turn {
    /// Which lane.
    #[must_use]
    pub fn lane(&self) -> usize {
        self.index
    }

    /// Counts so many of its frames as refused by the peer.
    pub fn reject(&mut self, frames: u64) {
        let frames = frames.min(self.sent);
        self.sent -= frames;
        self.rejected += frames;
    }
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
        let lanes = lanes
            .into_iter()
            .map(|end| Lane {
                end,
                sent: 0,
                rejected: 0,
                obeyed: 0,
                broken: false,
            })
            .collect();
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
            let turn = lane.turn(cost_max - cost, &mut each);
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

    /// Takes frames from the next lane that has some, up to a cost of `cost_max` or a few. None if there
    /// are no more.
    pub fn turn(
        &mut self,
        cost_max: usize,
        mut each: impl FnMut(&[u8]) -> Verdict,
    ) -> Option<Turn> {
        for _ in 0..self.lanes.len() {
            self.turn = (self.turn + 1) % self.lanes.len();
            let index = self.turn;
            let Some(lane) = self.lanes.get_mut(index) else {
                break;
            };
            if lane.turn(cost_max, &mut each).any {
                return lane.mark(index);
            }
        }
        None
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

    /// The peer is gone: everything not released is taken again.
    pub fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.end.rewind();
            (lane.sent, lane.rejected, lane.obeyed) = (0, 0, 0);
        }
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
        self.lanes
            .iter_mut()
            .all(|lane| lane.broken || lane.end.is_empty())
    }

    /// Waits until there is something to take. May be dropped and called again at any time.
    pub async fn ready(&mut self) {
        while self.is_empty() {
            if self.look_again().await {
                return;
            }
            // Only the latest announcement counts; rings are told by the eventfd.
            _ = self.bell.asleep();
            if self.is_empty() {
                self.notify.notified().await;
            }
            self.bell.awake();
        }
    }

    /// True if there is something to take, after a short look in which other tasks have their turns.
    async fn look_again(&mut self) -> bool {
        let Some(look) = self.look else { return false };
        let end = Instant::now() + look;
        loop {
            tokio::task::yield_now().await;
            if !self.is_empty() {
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

impl Lane {
    /// What was taken since the last mark, if anything.
    fn mark(&mut self, index: usize) -> Option<Turn> {
        let (sent, rejected, obeyed) = (self.sent, self.rejected, self.obeyed);
        let any = sent + rejected + obeyed > 0;
        (self.sent, self.rejected, self.obeyed) = (0, 0, 0);
        any.then(|| Turn {
            index,
            cursor: self.end.cursor(),
            sent,
            rejected,
            obeyed,
        })
    }

    /// Takes a few frames, as long as there are some.
    fn turn(&mut self, cost_max: usize, each: &mut dyn FnMut(&[u8]) -> Verdict) -> Taken {
        let (mut cost, mut frames, mut held) = (0, 0, false);
        while !self.broken && frames < TURN_FRAMES && cost < cost_max {
            let before = self.end.cursor();
            match self.end.take() {
                Ok(Some(frame)) => match each(frame) {
                    Verdict::Sent(sent) => {
                        cost += sent;
                        self.sent += 1;
                    }
                    Verdict::Rejected => self.rejected += 1,
                    Verdict::Obeyed => self.obeyed += 1,
                    Verdict::Later => {
                        self.end.back_to(before);
                        held = true;
                        break;
                    }
                },
                Ok(None) => break,
                Err(error) => {
                    log::error!("a lane is broken and left alone from now on: {error}");
                    self.broken = true;
                }
            }
            frames += 1;
        }
        Taken {
            any: frames > 0 && !self.broken,
            cost,
            held,
        }
    }
}
