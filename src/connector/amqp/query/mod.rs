//! Queries on their way: who waits for which `Msg-ID`, and until when.
//!
//! Those of suspended transactions also stand in the roster, where the next engine finds them if
//! this one dies: it tells each at once that there will be no answer.

pub(super) mod over;
mod pending;
mod row;

use super::inboxes::Inboxes;
use crate::clock::monotonic_ms;
use crate::frame::kazoo::{Arrived, Event, Query, Reason, Suspended, Waiter};
use crate::kazoo::counter::connector;
use crate::kazoo::table;
use crate::link::{Board, Delivery, Mailboxes, Roster};
use pending::{Pending, Table};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// What became of a message that may be an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector::amqp) enum Answered {
    /// It is none: an ordinary message.
    No,
    /// Its waiter has it.
    Yes,
    /// Its waiter's worker has no room now.
    Full,
}

/// See the module.
#[derive(Debug)]
pub(in crate::connector::amqp) struct Queries {
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
    pub(in crate::connector::amqp) fn new(
        roster: Rc<Roster>,
        most: usize,
        reply_bytes_max: usize,
        mailboxes: Mailboxes,
        inboxes: Rc<Inboxes>,
        board: Rc<Board>,
    ) -> Self {
        Self {
            table: RefCell::new(Table::new(most)),
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
    pub(in crate::connector::amqp) fn bury_the_dead(&self) {
        self.mailboxes.clear(Reason::Engine as u32);
        let rows = self.table.borrow().free.clone();
        for row in rows {
            let Some(entry) = self.roster.entry(row) else {
                continue;
            };
            if entry.state == table::WAITING {
                let (suspended, deadline_ms) = row::read(&self.roster, row);
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
    pub(in crate::connector::amqp) fn enter(&self, query: &Query<'_>) -> Option<u64> {
        if self.is_over(query) {
            return None;
        }
        if let Some(number) = self.table.borrow().number(query) {
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
        let number = self.table.borrow_mut().enter(query, row);
        if query.deadline_ms < self.armed.get() {
            self.sooner.notify_one();
        }
        Some(number)
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
        row::write(&self.roster, row, query, suspended);
        Some(row)
    }

    /// True if somebody waits for an answer, or did a short time ago.
    pub(in crate::connector::amqp) fn are_awaited(&self) -> bool {
        self.table.borrow_mut().are_awaited()
    }

    /// Gives a message to who waits for `msg_id`.
    pub(in crate::connector::amqp) fn answer(
        &self,
        msg_id: &[u8],
        message: Arrived<'_>,
    ) -> Answered {
        loop {
            let first = self.table.borrow().first(msg_id);
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

    /// A query that cannot be sent.
    pub(in crate::connector::amqp) fn fail(&self, query: &Query<'_>, reason: Reason) {
        let number = self.table.borrow().number(query);
        if let Some(number) = number {
            self.fail_pending(number, reason);
            return;
        }
        if !self.is_over(query) {
            self.board.count(connector::QUERIES_FAILED, 1);
            self.reject(query, reason);
        }
    }

    /// A query that was sent, by its number, and that the server did not take.
    pub(in crate::connector::amqp) fn fail_pending(&self, number: u64, reason: Reason) {
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
        let pending = self.table.borrow_mut().remove(number)?;
        if let Some(row) = pending.row {
            self.roster.leave(row);
            self.crowded.set(false);
        }
        Some(pending)
    }

    /// Ends queries whose time is over. Runs until it is dropped.
    pub(in crate::connector::amqp) async fn run(&self) {
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
        self.table
            .borrow_mut()
            .expire(pending.msg_id, monotonic_ms());
    }
}
