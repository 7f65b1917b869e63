//! The ledger's pages as they go round: free, with frames of one lane on them, done.
//!
//! Delivery reports come in any order; a lane's pages are released in theirs. What is settled behind a message that is
//! not is noted in its lane meanwhile, so that it is never sent again.

use super::ledger::{FRAMES, Ledger, PAGES};
use crate::link::{Outbound, Turn};
use std::collections::VecDeque;

/// Pages of a lane before frames that come alone share one with older ones: the oldest message waits long.
const SHARING: usize = 16;

/// What lies on a page that is not free.
struct Content {
    turn: Turn,
    /// Those whose settlement is noted in the lane: a bit each.
    noted: u64,
    done: bool,
}

/// A page that frames are put on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) page: u16,
    /// How many frames were there before.
    pub(super) frames: usize,
}

impl Open {
    /// The place of a frame that so many others were put there before, if there is one.
    pub(super) fn place(self, before: usize) -> Option<u8> {
        let place = self.frames + before;
        u8::try_from(place).ok().filter(|_| place < FRAMES)
    }
}

/// See the module.
pub(super) struct Pages {
    /// Of the pages that were ever taken: usually few of all.
    contents: Vec<Option<Content>>,
    /// By lane, oldest first.
    lanes: Vec<VecDeque<u16>>,
    /// How many a lane may have.
    share: usize,
    free: Vec<u16>,
}

impl Pages {
    /// All of them free.
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            contents: Vec::new(),
            lanes: vec![VecDeque::new(); lanes],
            share: PAGES / lanes.max(1),
            free: (0..PAGES)
                .rev()
                .filter_map(|page| u16::try_from(page).ok())
                .collect(),
        }
    }

    /// True if nothing is on its way.
    pub(super) fn are_all_free(&self) -> bool {
        self.free.len() == PAGES
    }

    /// True if a lane may have another page.
    pub(super) fn is_one_for(&self, lane: usize) -> bool {
        let own = self.lanes.get(lane).map_or(0, VecDeque::len);
        own < self.share && !self.free.is_empty()
    }

    /// A page for the next frames of a lane, begun in the ledger.
    pub(super) fn open(&mut self, lane: usize, ledger: &Ledger) -> Option<Open> {
        let own = self.lanes.get(lane)?;
        if own.len() >= SHARING
            && let Some(page) = own.back().copied()
            && let Some(Some(content)) = self.contents.get(usize::from(page))
            && content.turn.frames() < FRAMES
            && ledger.go_on(page)
        {
            let frames = content.turn.frames();
            return Some(Open { page, frames });
        }
        let page = self.free.pop()?;
        let taken = usize::from(page) + 1;
        if self.contents.len() < taken {
            self.contents.resize_with(taken, || None);
        }
        ledger.begin(page);
        Some(Open { page, frames: 0 })
    }

    /// What came onto a page that was opened; it is done when the ledger says so.
    pub(super) fn close(&mut self, open: Open, turn: Option<Turn>, ledger: &Ledger) {
        let Open { page, frames } = open;
        let content = self.contents.get_mut(usize::from(page));
        match (turn, content) {
            (Some(turn), Some(Some(content))) if frames > 0 => content.turn.extend(&turn),
            (Some(turn), Some(content)) => {
                if let Some(lane) = self.lanes.get_mut(turn.lane()) {
                    lane.push_back(page);
                }
                *content = Some(Content {
                    turn,
                    noted: 0,
                    done: false,
                });
            }
            (None, _) if frames == 0 => {
                // A lane that turned out to be broken may have left something on it.
                if ledger.is_blank(page) {
                    self.free.push(page);
                }
                return;
            }
            _ => {}
        }
        ledger.leave(page);
    }

    /// A page is done. Those of its lane that wait for no older one are released and free again.
    pub(super) fn finish(&mut self, page: u16, ledger: &Ledger, outbound: &mut Outbound) {
        let Some(Some(content)) = self.contents.get_mut(usize::from(page)) else {
            return;
        };
        content.done = true;
        let Some(lane) = self.lanes.get_mut(content.turn.lane()) else {
            return;
        };
        while let Some(page) = lane.front().copied()
            && let Some(place) = self.contents.get_mut(usize::from(page))
            && let Some(mut content) = place.take_if(|content| content.done)
        {
            lane.pop_front();
            let (_, failed) = ledger.settled(page);
            let failed = failed & !content.noted;
            content.turn.reject(u64::from(failed.count_ones()));
            outbound.release_turn(&content.turn);
            self.free.push(page);
        }
    }

    /// Notes in the lanes what was settled since the last time and has to wait for older messages.
    pub(super) fn note(&mut self, ledger: &Ledger, outbound: &mut Outbound) {
        for page in self.lanes.iter().flatten() {
            let Some(Some(content)) = self.contents.get_mut(usize::from(*page)) else {
                continue;
            };
            let (settled, failed) = ledger.settled(*page);
            let new = settled & !content.noted;
            if new != 0 {
                outbound.settle(&mut content.turn, new, failed);
                content.noted |= new;
            }
        }
    }
}
