//! Queries that have ended, as long as they may come out of a lane once more.
//!
//! A query is told apart from another of the same waiter by its deadline and its `Msg-ID`. What is kept of all three is a
//! number that is hashed with this process's own key: thousands of texts that live for minutes would scatter all over
//! the heap and keep it from shrinking.

use crate::frame::kazoo::Waiter;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// More than a lane's unconfirmed frames can be.
pub(in crate::connector::amqp) const OVER_MAX: usize = 8192;

/// See the module.
#[derive(Debug)]
pub(in crate::connector::amqp) struct Over {
    key: RandomState,
    known: HashSet<u64>,
    /// The oldest first.
    order: VecDeque<u64>,
}

impl Default for Over {
    fn default() -> Self {
        Self {
            key: RandomState::new(),
            known: HashSet::with_capacity(OVER_MAX + 1),
            order: VecDeque::with_capacity(OVER_MAX + 1),
        }
    }
}

impl Over {
    fn number(&self, waiter: Waiter, deadline_ms: u64, msg_id: &[u8]) -> u64 {
        self.key.hash_one((waiter, deadline_ms, msg_id))
    }

    /// Whether it has ended.
    pub(in crate::connector::amqp) fn has(
        &self,
        waiter: Waiter,
        deadline_ms: u64,
        msg_id: &[u8],
    ) -> bool {
        let number = self.number(waiter, deadline_ms, msg_id);
        self.known.contains(&number)
    }

    /// It ends now; the oldest is forgotten where there are too many.
    pub(in crate::connector::amqp) fn add(
        &mut self,
        waiter: Waiter,
        deadline_ms: u64,
        msg_id: &[u8],
    ) {
        let number = self.number(waiter, deadline_ms, msg_id);
        if self.known.insert(number) {
            self.order.push_back(number);
        }
        if self.order.len() > OVER_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
