//! Queries on their way: who waits for which `Msg-ID`, and until when.
//!
//! Those of suspended transactions also stand in the roster, where the next engine finds them if
//! this one dies: it tells each at once that there will be no answer.

use super::inboxes::Inboxes;
use super::over::{OVER_MAX, Over};
use crate::clock::monotonic_ms;
use crate::frame::kazoo::{Arrived, Event, Query, Reason, Suspended, Waiter};
use crate::kazoo::counter::connector;
use crate::kazoo::table;
use crate::link::{Board, Delivery, Entry, Mailboxes, Roster};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long after a query's end an answer counts as late.
const LATE_MS_MAX: u64 = 60_000;

/// What became of a message that may be an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// It is none: an ordinary message.
    No,
    /// Its waiter has it.
    Yes,
    /// Its waiter's worker has no room now.
    Full,
}

#[derive(Debug)]
struct Pending {
    msg_id: Vec<u8>,
    waiter: Waiter,
    deadline_ms: u64,
    /// Its line in the roster.
    row: Option<usize>,
}

#[derive(Debug, Default)]
struct Table {
    /// Of the last query.
    number: u64,
    pending: BTreeMap<u64, Pending>,
    by_id: HashMap<Vec<u8>, VecDeque<u64>>,
    deadlines: BTreeSet<(u64, u64)>,
    /// Lines of the roster, the next one last.
    free: Vec<usize>,
    over: Over,
    expired: HashSet<Vec<u8>>,
    /// With the time of each, oldest first.
    expired_order: VecDeque<(u64, Vec<u8>)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queries {
    table: RefCell<Table>,
    roster: Rc<Roster>,
    mailboxes: Mailboxes,
    inboxes: Rc<Inboxes>,
    board: Rc<Board>,
    /// The next deadline came closer.
    sooner: Notify,
    /// The deadline that is waited for.
    armed: Cell<u64>,
    /// Longest answer for a process; its mailbox may have more room.
    reply_bytes_max: usize,
    crowded: Cell<bool>,
}

impl Queries {
    /// For at most `most` async queries.
    pub(super) fn new(
        roster: Rc<Roster>,
        most: usize,
        reply_bytes_max: usize,
        mailboxes: Mailboxes,
        inboxes: Rc<Inboxes>,
        board: Rc<Board>,
    ) -> Self {
        let table = Table {
            free: (0..most).rev().collect(),
            ..Table::default()
        };
        Self {
            table: RefCell::new(table),
            roster,
            mailboxes,
            inboxes,
            board,
            sooner: Notify::new(),
            armed: Cell::new(u64::MAX),
            reply_bytes_max,
            crowded: Cell::new(false),
        }
    }

    /// To be called first: queries of an engine that died get no answer.
    pub(super) fn bury_the_dead(&self) {
        self.mailboxes.clear(Reason::Engine as u32);
        let rows = self.table.borrow().free.clone();
        for row in rows {
            let Some(entry) = self.roster.entry(row) else {
                continue;
            };
            if entry.state == table::WAITING {
                let (suspended, deadline_ms) = self.read_row(row);
                let waiter = Waiter::Async(suspended);
                let mut table = self.table.borrow_mut();
                table.over.add(waiter, deadline_ms, &entry.tag);
                drop(table);
                self.tell_failed(suspended, Reason::Engine);
            }
            self.roster.leave(row);
        }
    }

    /// Takes a query up: its number here. None if it is not to be sent: it is over, or was told that
    /// it fails.
    pub(super) fn enter(&self, query: &Query<'_>) -> Option<u64> {
        if self.is_over(query) {
            return None;
        }
        if let Some(number) = self.number(query) {
            // It comes out of its lane once more: the connection was lost.
            return Some(number);
        }
        if query.deadline_ms <= monotonic_ms() {
            self.board.count(connector::TIMEOUTS, 1);
            self.reject(query, Reason::Timeout);
            return None;
        }
        let row = match query.waiter {
            Waiter::Blocking { .. } => None,
            Waiter::Async(suspended) => match self.row(query, &suspended) {
                Some(row) => Some(row),
                None => {
                    self.crowded();
                    self.board.count(connector::QUERIES_FAILED, 1);
                    self.reject(query, Reason::Crowded);
                    return None;
                }
            },
        };
        let mut table = self.table.borrow_mut();
        table.number += 1;
        let number = table.number;
        let msg_id = query.msg_id.to_vec();
        let numbers = table.by_id.entry(msg_id.clone()).or_default();
        numbers.push_back(number);
        table.deadlines.insert((query.deadline_ms, number));
        let pending = Pending {
            msg_id,
            waiter: query.waiter,
            deadline_ms: query.deadline_ms,
            row,
        };
        table.pending.insert(number, pending);
        if query.deadline_ms < self.armed.get() {
            self.sooner.notify_one();
        }
        Some(number)
    }

    /// The number of a query that is pending.
    fn number(&self, query: &Query<'_>) -> Option<u64> {
        let table = self.table.borrow();
        let mut numbers = table.by_id.get(query.msg_id)?.iter();
        let same = |number: &&u64| {
            let pending = table.pending.get(number);
            pending.is_some_and(|p| (p.waiter, p.deadline_ms) == (query.waiter, query.deadline_ms))
        };
        numbers.find(same).copied()
    }

    #[cold]
    fn crowded(&self) {
        if !self.crowded.replace(true) {
            log::warn!("kazoo: async_queries_max queries wait for answers: further ones fail");
        }
    }

    /// A line of the roster for a query; None if all are taken.
    fn row(&self, query: &Query<'_>, suspended: &Suspended) -> Option<usize> {
        let row = self.table.borrow_mut().free.pop()?;
        let entry = Entry {
            generation: 1,
            state: table::FREE,
            address: String::new(),
            port: 0,
            tag: query.msg_id.to_vec(),
        };
        self.roster.enter(row, &entry);
        let figure = |slot, value| self.roster.figure(row, slot, value);
        figure(table::TINDEX, u64::from(suspended.tindex));
        figure(table::TLABEL, u64::from(suspended.tlabel));
        figure(table::OK_ROUTE, u64::from(suspended.ok));
        figure(table::ERR_ROUTE, u64::from(suspended.err));
        figure(table::DEADLINE, query.deadline_ms);
        // Complete only now, should the engine die meanwhile.
        self.roster.state(row, table::WAITING);
        Some(row)
    }

    fn read_row(&self, row: usize) -> (Suspended, u64) {
        let figure = |slot| self.roster.figure_value(row, slot);
        let number = |slot| u32::try_from(figure(slot)).unwrap_or(0);
        let suspended = Suspended {
            tindex: number(table::TINDEX),
            tlabel: number(table::TLABEL),
            ok: number(table::OK_ROUTE),
            err: number(table::ERR_ROUTE),
        };
        (suspended, figure(table::DEADLINE))
    }

    /// True if somebody waits for an answer, or did a short time ago.
    pub(super) fn are_awaited(&self) -> bool {
        let mut table = self.table.borrow_mut();
        if !table.by_id.is_empty() {
            return true;
        }
        if !table.expired.is_empty() {
            table.forget_expired(monotonic_ms());
        }
        !table.expired.is_empty()
    }

    /// Gives a message to who waits for `msg_id`.
    pub(super) fn answer(&self, msg_id: &[u8], message: Arrived<'_>) -> Answered {
        loop {
            let first = self.first(msg_id);
            let Some((number, waiter)) = first else {
                if self.table.borrow_mut().expired.remove(msg_id) {
                    self.board.count(connector::LATE_REPLIES, 1);
                }
                return Answered::No;
            };
            match waiter {
                Waiter::Blocking {
                    process,
                    generation,
                } => {
                    let fill = |parts: &[&[u8]]| self.mailboxes.fill(process, generation, parts);
                    let delivery = if message.body.len() > self.reply_bytes_max {
                        Ok(Delivery::TooLarge)
                    } else {
                        message.write(fill)
                    };
                    self.remove(number);
                    match delivery.unwrap_or(Delivery::TooLarge) {
                        Delivery::Done => self.board.count(connector::ANSWERED, 1),
                        Delivery::TooLarge => {
                            self.board.count(connector::REPLIES_OVERSIZED, 1);
                            self.board.count(connector::QUERIES_FAILED, 1);
                            let reason = Reason::Oversized as u32;
                            self.mailboxes.fail(process, generation, reason);
                        }
                        Delivery::Late => {
                            // It has given up; perhaps another waits for the same.
                            self.board.count(connector::LATE_REPLIES, 1);
                            continue;
                        }
                    }
                }
                Waiter::Async(suspended) => {
                    if self.inboxes.is_crowded() {
                        return Answered::Full;
                    }
                    if self.inboxes.tell(&Event::Answer(suspended, message)) {
                        self.board.count(connector::ANSWERED, 1);
                    } else {
                        self.board.count(connector::REPLIES_OVERSIZED, 1);
                        self.board.count(connector::QUERIES_FAILED, 1);
                        self.tell_failed(suspended, Reason::Oversized);
                    }
                    self.remove(number);
                }
            }
            return Answered::Yes;
        }
    }

    /// The oldest that waits for `msg_id`.
    fn first(&self, msg_id: &[u8]) -> Option<(u64, Waiter)> {
        let table = self.table.borrow();
        let number = *table.by_id.get(msg_id)?.front()?;
        Some((number, table.pending.get(&number)?.waiter))
    }

    /// A query that cannot be sent.
    pub(super) fn fail(&self, query: &Query<'_>, reason: Reason) {
        if let Some(number) = self.number(query) {
            self.fail_pending(number, reason);
            return;
        }
        if !self.is_over(query) {
            self.board.count(connector::QUERIES_FAILED, 1);
            self.reject(query, reason);
        }
    }

    /// A query that was sent, by its number, and that the server did not take.
    pub(super) fn fail_pending(&self, number: u64, reason: Reason) {
        if let Some(pending) = self.remove(number) {
            self.board.count(connector::QUERIES_FAILED, 1);
            self.tell(pending.waiter, reason);
        }
    }

    fn reject(&self, query: &Query<'_>, reason: Reason) {
        let mut table = self.table.borrow_mut();
        table
            .over
            .add(query.waiter, query.deadline_ms, query.msg_id);
        drop(table);
        self.tell(query.waiter, reason);
    }

    fn is_over(&self, query: &Query<'_>) -> bool {
        let table = self.table.borrow();
        table
            .over
            .has(query.waiter, query.deadline_ms, query.msg_id)
    }

    fn tell(&self, waiter: Waiter, reason: Reason) {
        match waiter {
            Waiter::Blocking {
                process,
                generation,
            } => {
                // False where it has given up by itself, which is as good.
                _ = self.mailboxes.fail(process, generation, reason as u32);
            }
            Waiter::Async(suspended) => self.tell_failed(suspended, reason),
        }
    }

    fn tell_failed(&self, suspended: Suspended, reason: Reason) {
        // It fits: it is a few numbers.
        _ = self.inboxes.tell(&Event::Failed(suspended, reason));
    }

    fn remove(&self, number: u64) -> Option<Pending> {
        let mut table = self.table.borrow_mut();
        let pending = table.pending.remove(&number)?;
        table.deadlines.remove(&(pending.deadline_ms, number));
        if let Some(numbers) = table.by_id.get_mut(&pending.msg_id) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                table.by_id.remove(&pending.msg_id);
            }
        }
        if let Some(row) = pending.row {
            self.roster.leave(row);
            table.free.push(row);
            self.crowded.set(false);
        }
        table
            .over
            .add(pending.waiter, pending.deadline_ms, &pending.msg_id);
        Some(pending)
    }

    /// Ends queries whose time is over. Runs until it is dropped.
    pub(super) async fn run(&self) {
        loop {
            let now = monotonic_ms();
            let next = self.table.borrow().deadlines.first().copied();
            match next {
                Some((deadline, number)) if deadline <= now => self.expire(number),
                Some((deadline, _)) => {
                    self.armed.set(deadline);
                    let pause = Duration::from_millis(deadline - now);
                    // Over or sooner: the loop looks.
                    drop(tokio::time::timeout(pause, self.sooner.notified()).await);
                }
                None => {
                    self.armed.set(u64::MAX);
                    self.sooner.notified().await;
                }
            }
        }
    }

    fn expire(&self, number: u64) {
        let Some(pending) = self.remove(number) else {
            return;
        };
        self.board.count(connector::TIMEOUTS, 1);
        self.tell(pending.waiter, Reason::Timeout);
        let mut table = self.table.borrow_mut();
        let now = monotonic_ms();
        if table.expired.insert(pending.msg_id.clone()) {
            table.expired_order.push_back((now, pending.msg_id));
        }
        table.forget_expired(now);
    }
}

impl Table {
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
