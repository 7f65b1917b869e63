//! The ledger's pages as they go round: free, with frames of one lane on them, done.
//!
//! Delivery reports come in any order; a lane's pages are released in theirs.

use super::ledger::PAGES;
use crate::link::Turn;
use std::collections::VecDeque;

/// See the module.
pub(super) struct Pages {
    /// What lies on each.
    turns: Vec<Option<Turn>>,
    /// Those that are done and wait for older ones of their lane.
    done: Vec<bool>,
    /// By lane, oldest first.
    lanes: Vec<VecDeque<u16>>,
    free: Vec<u16>,
}

impl Pages {
    /// All of them free.
    pub(super) fn new() -> Self {
        let pages = || 0..PAGES;
        Self {
            turns: pages().map(|_| None).collect(),
            done: vec![false; PAGES],
            lanes: Vec::new(),
            free: pages()
                .rev()
                .filter_map(|page| u16::try_from(page).ok())
                .collect(),
        }
    }

    /// True if nothing is on its way.
    pub(super) fn are_all_free(&self) -> bool {
        self.free.len() == PAGES
    }

    /// True if there is one to be had.
    pub(super) fn is_any_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// A free one.
    pub(super) fn take(&mut self) -> Option<u16> {
        self.free.pop()
    }

    /// Nothing came onto one that was taken.
    pub(super) fn put_back(&mut self, page: u16) {
        self.free.push(page);
    }

    /// What lies on one that was taken.
    pub(super) fn fill(&mut self, page: u16, turn: Turn) {
        if self.lanes.len() <= turn.lane() {
            self.lanes.resize_with(turn.lane() + 1, VecDeque::new);
        }
        if let (Some(lane), Some(place)) = (
            self.lanes.get_mut(turn.lane()),
            self.turns.get_mut(usize::from(page)),
        ) {
            lane.push_back(page);
            *place = Some(turn);
        }
    }

    /// A page is done. Those of its lane that wait for no older one are released and free again.
    pub(super) fn finish(&mut self, page: u16, mut release: impl FnMut(u16, Turn)) {
        if let Some(done) = self.done.get_mut(usize::from(page)) {
            *done = true;
        }
        let turn = self.turns.get(usize::from(page)).copied().flatten();
        let Some(lane) = turn.and_then(|turn| self.lanes.get_mut(turn.lane())) else {
            return;
        };
        while let Some(page) = lane.front().copied() {
            let index = usize::from(page);
            let (Some(done), Some(turn)) = (self.done.get_mut(index), self.turns.get_mut(index))
            else {
                return;
            };
            if !*done {
                return;
            }
            lane.pop_front();
            *done = false;
            if let Some(turn) = turn.take() {
                release(page, turn);
            }
            self.free.push(page);
        }
    }
}
