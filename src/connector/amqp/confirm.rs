//! Which of the messages sent on a channel the server has. It may say so in any order, singly or for
//! all up to one.

use std::collections::VecDeque;

/// Delivery tags of one channel, from 1.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// The tag given last.
    given: u64,
    /// Everything up to this one is settled.
    settled: u64,
    /// Those behind it: settled or not.
    ahead: VecDeque<bool>,
    /// Messages that the server could not take, until they are asked for.
    refused: Vec<u64>,
}

impl Tags {
    /// The tag of the next message.
    pub(super) fn give(&mut self) -> u64 {
        self.given += 1;
        self.ahead.push_back(false);
        self.given
    }

    /// The tag given last.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Everything up to this tag is settled.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// How many are not settled up to there.
    pub(super) fn outstanding(&self) -> u64 {
        self.given - self.settled
    }

    /// Notes what the server said about message `tag`, or about all up to it.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool, taken: bool) {
        let Some(last) = tag.checked_sub(self.settled + 1) else {
            return;
        };
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        let first = if multiple { 0 } else { last };
        for (index, settled) in self.ahead.iter_mut().enumerate().skip(first) {
            if index > last {
                break;
            }
            if !*settled && !taken {
                self.refused.push(self.settled + 1 + index as u64);
            }
            *settled = true;
        }
        while self.ahead.front() == Some(&true) {
            self.ahead.pop_front();
            self.settled += 1;
        }
    }

    /// Messages that the server could not take, since this was called last.
    pub(super) fn take_refused(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.refused)
    }
}
