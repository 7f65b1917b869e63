//! Queries that wait for their answers: by number, by what the answer's `Msg-ID` will be, by deadline.

use super::over::{OVER_MAX, Over};
use crate::clock::monotonic_ms;
use crate::frame::kazoo::{Query, Waiter};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// How long after a query's end an answer counts as late.
const LATE_MS_MAX: u64 = 60_000;

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) msg_id: Vec<u8>,
    pub(super) waiter: Waiter,
    deadline_ms: u64,
    /// Its line in the roster.
    pub(super) row: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Of the last query.
    number: u64,
    pending: BTreeMap<u64, Pending>,
    by_id: HashMap<Vec<u8>, VecDeque<u64>>,
    pub(super) deadlines: BTreeSet<(u64, u64)>,
    /// Lines of the roster, the next one last.
    pub(super) free: Vec<usize>,
    pub(super) over: Over,
    pub(super) expired: HashSet<Vec<u8>>,
    /// With the time of each, oldest first.
    expired_order: VecDeque<(u64, Vec<u8>)>,
}

impl Table {
    /// For a roster with so many lines.
    pub(super) fn new(lines: usize) -> Self {
        Self {
            free: (0..lines).rev().collect(),
            ..Self::default()
        }
    }

    /// Notes a query: its number.
    pub(super) fn enter(&mut self, query: &Query<'_>, row: Option<usize>) -> u64 {
        self.number += 1;
        let number = self.number;
        let msg_id = query.msg_id.to_vec();
        let numbers = self.by_id.entry(msg_id.clone()).or_default();
        numbers.push_back(number);
        self.deadlines.insert((query.deadline_ms, number));
        let pending = Pending {
            msg_id,
            waiter: query.waiter,
            deadline_ms: query.deadline_ms,
            row,
        };
        self.pending.insert(number, pending);
        number
    }

    /// The number of a query that is pending.
    pub(super) fn number(&self, query: &Query<'_>) -> Option<u64> {
        let mut numbers = self.by_id.get(query.msg_id)?.iter();
        let same = |number: &&u64| {
            let pending = self.pending.get(number);
            pending.is_some_and(|p| (p.waiter, p.deadline_ms) == (query.waiter, query.deadline_ms))
        };
        numbers.find(same).copied()
    }

    /// The oldest that waits for `msg_id`.
    pub(super) fn first(&self, msg_id: &[u8]) -> Option<(u64, Waiter)> {
        let number = *self.by_id.get(msg_id)?.front()?;
        Some((number, self.pending.get(&number)?.waiter))
    }

    /// True if somebody waits for an answer, or did a short time ago.
    pub(super) fn are_awaited(&mut self) -> bool {
        if !self.by_id.is_empty() {
            return true;
        }
        if !self.expired.is_empty() {
            self.forget_expired(monotonic_ms());
        }
        !self.expired.is_empty()
    }

    /// A query is over; its line in the roster is free.
    pub(super) fn remove(&mut self, number: u64) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        self.deadlines.remove(&(pending.deadline_ms, number));
        if let Some(numbers) = self.by_id.get_mut(&pending.msg_id) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.by_id.remove(&pending.msg_id);
            }
        }
        self.free.extend(pending.row);
        self.over
            .add(pending.waiter, pending.deadline_ms, &pending.msg_id);
        Some(pending)
    }

    /// The time of a query is over: an answer may still come, and count as late.
    pub(super) fn expire(&mut self, msg_id: Vec<u8>, now: u64) {
        if self.expired.insert(msg_id.clone()) {
            self.expired_order.push_back((now, msg_id));
        }
        self.forget_expired(now);
    }

    /// Drops what is too long ago to be waited for.
    fn forget_expired(&mut self, now: u64) {
        while let Some((at, _)) = self.expired_order.front()
            && (self.expired_order.len() > OVER_MAX || *at + LATE_MS_MAX < now)
            && let Some((_, msg_id)) = self.expired_order.pop_front()
        {
            self.expired.remove(&msg_id);
        }
    }
}
