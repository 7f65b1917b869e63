//! One lane, seen from its end: frames are taken in turns, and each says what became of it.

use crate::shm::lane::LaneEnd;

/// Frames taken from one lane before it is the next one's turn.
const TURN_FRAMES: usize = 64;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) end: LaneEnd,
    /// Frames taken since the last mark.
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

/// What was taken from one lane in one turn, for peers that confirm frames in another order than they
/// were sent in.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub(super) index: usize,
    pub(super) cursor: u64,
    pub(super) sent: u64,
    pub(super) rejected: u64,
    pub(super) obeyed: u64,
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

impl Lane {
    pub(super) fn new(end: LaneEnd) -> Self {
        Self {
            end,
            sent: 0,
            rejected: 0,
            obeyed: 0,
            broken: false,
        }
    }

    /// What was taken since the last mark, if anything.
    pub(super) fn mark(&mut self, index: usize) -> Option<Turn> {
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
    pub(super) fn turn(
        &mut self,
        cost_max: usize,
        each: &mut dyn FnMut(&[u8]) -> Verdict,
    ) -> Taken {
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
