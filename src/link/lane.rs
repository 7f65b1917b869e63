//! One lane, seen from its end: frames are taken in turns, and each says what became of it.

use crate::shm::lane::LaneEnd;

/// Frames taken from one lane before it is the next one's turn.
const TURN_FRAMES: usize = 64;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) end: LaneEnd,
    /// Where the last mark was.
    from: u64,
    /// Frames taken since the last mark, also those that were settled.
    frames: usize,
    /// Frames taken since the last mark that go out.
    pub(super) sent: u64,
    pub(super) rejected: u64,
    /// Frames taken since the last mark that count as neither.
    pub(super) obeyed: u64,
    /// Nothing sound can be read from it any more.
    pub(super) broken: bool,
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
pub(super) struct Taken {
    /// Anything was taken.
    pub(super) any: bool,
    pub(super) cost: usize,
    /// It ended at a frame that has to wait.
    pub(super) held: bool,
}

/// What was taken from one lane in a turn, or in several in a row, for peers that confirm frames in another order than they
/// were sent in.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub(super) index: usize,
    pub(super) from: u64,
    pub(super) cursor: u64,
    frames: usize,
    pub(super) sent: u64,
    pub(super) rejected: u64,
    pub(super) obeyed: u64,
}

impl Turn {
    /// How many frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Which lane.
    #[must_use]
    pub fn lane(&self) -> usize {
        self.index
    }

    /// Adds the turn that came next.
    pub fn extend(&mut self, next: &Turn) {
        self.cursor = next.cursor;
        self.frames += next.frames;
        self.sent += next.sent;
        self.rejected += next.rejected;
        self.obeyed += next.obeyed;
    }

    /// Counts so many of its frames as refused by the peer.
    pub fn reject(&mut self, frames: u64) {
        let frames = frames.min(self.sent);
        self.sent -= frames;
        self.rejected += frames;
    }
}

impl Lane {
    pub(super) fn new(end: LaneEnd) -> Self {
        Self {
            from: end.cursor(),
            end,
            frames: 0,
            sent: 0,
            rejected: 0,
            obeyed: 0,
            broken: false,
        }
    }

    /// True if there is something to take.
    pub(super) fn has_some(&mut self) -> bool {
        !self.broken && !self.end.is_empty()
    }

    /// What was taken since the last mark, if anything.
    pub(super) fn mark(&mut self, index: usize) -> Option<Turn> {
        let cursor = self.end.cursor();
        let turn = Turn {
            index,
            from: self.from,
            cursor,
            frames: self.frames,
            sent: self.sent,
            rejected: self.rejected,
            obeyed: self.obeyed,
        };
        self.forget();
        (turn.frames > 0).then_some(turn)
    }

    fn forget(&mut self) {
        self.from = self.end.cursor();
        (self.frames, self.sent, self.rejected, self.obeyed) = (0, 0, 0, 0);
    }

    /// Everything not released is taken again, but for what is settled.
    pub(super) fn rewind(&mut self) {
        self.end.rewind();
        self.forget();
    }

    /// Takes a few frames, as long as there are some. `each` is told how many were taken before, and not asked about those
    /// that are settled.
    pub(super) fn turn(
        &mut self,
        cost_max: usize,
        each: &mut dyn FnMut(usize, &[u8]) -> Verdict,
    ) -> Taken {
        let (mut cost, mut frames, mut held) = (0, 0, false);
        while !self.broken && frames < TURN_FRAMES && cost < cost_max {
            let before = self.end.cursor();
            match self.end.take() {
                Ok(Some(_)) if self.end.is_settled() => {}
                Ok(Some(frame)) => match each(frames, frame) {
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
        self.frames += frames;
        Taken {
            any: frames > 0 && !self.broken,
            cost,
            held,
        }
    }
}
