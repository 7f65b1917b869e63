//! What is on its way: noted by the connector's task, settled by the library's threads.
//!
//! A few frames of one lane in a row are a page. A message is settled when it has its delivery report, and, where a
//! route wants to know, when that report lies in an inbox; a page is done when all of its messages are settled.

use super::notice::Notices;
use crate::frame::kafka::Place;
use crate::primitive::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// How many pages there are. The lanes share them equally.
pub(super) const PAGES: usize = 1 << 16;

/// Frames on a page: a bit each.
pub(super) const FRAMES: usize = 64;

/// What comes back with a delivery report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Where the message is noted.
    pub(super) page: u16,
    /// Its place there.
    pub(super) frame: u8,
    /// The line of the module's table it counts for.
    pub(super) row: u16,
    /// The number of its report route.
    pub(super) report: Option<u32>,
}

const _: () = assert!(
    usize::BITS == 64,
    "a ticket travels as the library's pointer"
);

/// What is left of the pointer for a report route's number and one.
const REPORT: usize = (1 << 26) - 1;

impl Ticket {
    pub(super) fn encode(self) -> usize {
        let report = self.report.map_or(0, |route| route as usize + 1) & REPORT;
        let frame = usize::from(self.frame) & (FRAMES - 1);
        (usize::from(self.page) << 48) | (usize::from(self.row) << 32) | (frame << 26) | report
    }

    pub(super) fn decode(number: usize) -> Self {
        let part = |shift: u32| u16::try_from((number >> shift) & 0xffff).unwrap_or_default();
        let report = u32::try_from(number & REPORT).unwrap_or_default();
        Self {
            page: part(48),
            frame: u8::try_from((number >> 26) & (FRAMES - 1)).unwrap_or_default(),
            row: part(32),
            report: report.checked_sub(1),
        }
    }
}

/// What became of a message whose script wants to know.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ledger: Arc<Ledger>,
    pub(super) ticket: Ticket,
    pub(super) place: Place,
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Vec<u8>,
    /// Why it was not delivered.
    pub(super) error: Option<String>,
}

/// The figures of one line of the module's table.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) taken: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Why the last one failed, until it was shown.
    error: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Page {
    outstanding: AtomicU32,
    /// A bit for each message that is settled.
    settled: AtomicU64,
    /// A bit for each of those that was not delivered.
    failed: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    pages: Box<[Page]>,
    tallies: Arc<[Tally]>,
    done: Sender<u16>,
    /// No more than frames in the lanes: those stay there until their report lies in an inbox.
    outcomes: Sender<Outcome>,
    pub(super) notices: Notices,
    /// Rung when a page is done or something is fatal.
    pub(super) moved: Notify,
    /// Rung when there are outcomes.
    pub(super) reported: Arc<Notify>,
    fatal: AtomicU8,
}

impl Ledger {
    /// An empty one, and the pages that will be done.
    pub(super) fn open(
        tallies: Arc<[Tally]>,
        outcomes: Sender<Outcome>,
        reported: Arc<Notify>,
        notices: Notices,
    ) -> (Arc<Self>, Receiver<u16>) {
        let (done, finished) = bounded(PAGES);
        let ledger = Self {
            pages: (0..PAGES).map(|_| Page::default()).collect(),
            tallies,
            done,
            outcomes,
            notices,
            moved: Notify::new(),
            reported,
            fatal: AtomicU8::new(0),
        };
        (Arc::new(ledger), finished)
    }

    /// Begins a page: it is not done before [`leave`](Self::leave) was called.
    pub(super) fn begin(&self, page: u16) {
        if let Some(page) = self.page(page) {
            for bits in [&page.settled, &page.failed] {
                bits.store(0, Ordering::Relaxed);
            }
            page.outstanding.store(1, Ordering::Relaxed);
        }
    }

    /// As [`begin`](Self::begin), for one that is to have more messages. False if it is done.
    pub(super) fn go_on(&self, page: u16) -> bool {
        let more = |outstanding: u32| (outstanding > 0).then_some(outstanding + 1);
        let order = Ordering::Relaxed;
        self.page(page)
            .is_some_and(|page| page.outstanding.fetch_update(order, order, more).is_ok())
    }

    /// No more messages come onto a page for now.
    pub(super) fn leave(&self, page: u16) {
        self.take_off(page);
    }

    /// Whether nothing is noted on a page that was begun.
    pub(super) fn is_blank(&self, page: u16) -> bool {
        let page = self.page(page);
        page.is_some_and(|page| page.outstanding.load(Ordering::Relaxed) == 1)
    }

    /// Notes a message on a page that was begun.
    pub(super) fn note(&self, ticket: Ticket) {
        if let Some(page) = self.page(ticket.page) {
            page.outstanding.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(tally) = self.tally(ticket.row) {
            tally.taken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a note back, before [`leave`](Self::leave): the library has no room for the message.
    pub(super) fn take_back(&self, ticket: Ticket) {
        if let Some(page) = self.page(ticket.page) {
            page.outstanding.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(tally) = self.tally(ticket.row) {
            tally.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A message has its report.
    pub(super) fn settle(&self, ticket: Ticket, failed: bool) {
        if let Some(page) = self.page(ticket.page) {
            let bit = 1 << ticket.frame;
            if failed {
                page.failed.fetch_or(bit, Ordering::Relaxed);
            }
            // SYNC settled: who sees this bit sees the one above.
            page.settled.fetch_or(bit, Ordering::Release);
            self.take_off(ticket.page);
        }
    }

    fn take_off(&self, index: u16) {
        // SYNC page-done: the last one sees what the others counted.
        if let Some(page) = self.page(index)
            && page.outstanding.fetch_sub(1, Ordering::AcqRel) == 1
        {
            // There is room for every page; no receiver means that the ledger was closed.
            _ = self.done.try_send(index);
            self.moved.notify_one();
        }
    }

    /// The messages of a page that are settled, and those of them that failed: a bit each.
    pub(super) fn settled(&self, page: u16) -> (u64, u64) {
        self.page(page).map_or((0, 0), |page| {
            // SYNC settled
            let settled = page.settled.load(Ordering::Acquire);
            (settled, settled & page.failed.load(Ordering::Relaxed))
        })
    }

    fn page(&self, index: u16) -> Option<&Page> {
        self.pages.get(usize::from(index))
    }

    /// Counts a delivery report, and keeps its error to be shown.
    pub(super) fn count(&self, row: u16, error: Option<&str>) {
        let Some(tally) = self.tally(row) else { return };
        let Some(error) = error else {
            tally.delivered.fetch_add(1, Ordering::Relaxed);
            return;
        };
        tally.failed.fetch_add(1, Ordering::Relaxed);
        let mut last = tally.error.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() != Some(error) {
            *last = Some(error.to_owned());
        }
    }

    /// Hands an outcome to whoever puts it into an inbox.
    pub(super) fn report(&self, outcome: Outcome) {
        // No receiver means that the connector ends.
        drop(self.outcomes.send(outcome));
        self.reported.notify_one();
    }

    /// The library can go on no more: everything that is not settled is to be sent again.
    pub(super) fn fail(&self) {
        self.fatal.store(1, Ordering::Release);
        self.moved.notify_one();
    }

    /// Whether [`fail`](Self::fail) was called.
    pub(super) fn is_failed(&self) -> bool {
        self.fatal.load(Ordering::Acquire) == 1
    }

    fn tally(&self, row: u16) -> Option<&Tally> {
        self.tallies.get(usize::from(row))
    }
}

impl Tally {
    /// Begins anew, for another peer.
    pub(super) fn clear(&self) {
        for figure in [&self.taken, &self.delivered, &self.failed] {
            figure.store(0, Ordering::Relaxed);
        }
        drop(self.new_error());
    }

    /// The error to show, once.
    pub(super) fn new_error(&self) -> Option<String> {
        let mut last = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    }
}
