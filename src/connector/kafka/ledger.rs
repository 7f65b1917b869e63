//! What is on its way: noted by the connector's task, settled by the library's threads.
//!
//! The frames of one turn (a few frames of one lane) are a page. A page is done when each of its
//! messages has its delivery report, and, where a route wants to know, when that report lies in an inbox.

use super::notice::Notices;
use crate::frame::kafka::Place;
use crate::primitive::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// How many pages there are: with [`crate::link::Outbound::turn`]'s few frames on each, far more frames
/// than all lanes of a usual Kamailio hold.
pub(super) const PAGES: usize = 1 << 16;

/// What comes back with a delivery report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Where the message is noted.
    pub(super) page: u16,
    /// The line of the module's table it counts for.
    pub(super) row: u16,
    /// The number of its report route.
    pub(super) report: Option<u32>,
}

const _: () = assert!(
    usize::BITS == 64,
    "a ticket travels as the library's pointer"
);

impl Ticket {
    pub(super) fn encode(self) -> usize {
        let report = self.report.map_or(0, |route| route.wrapping_add(1));
        (usize::from(self.page) << 48) | (usize::from(self.row) << 32) | report as usize
    }

    pub(super) fn decode(number: usize) -> Self {
        let part = |shift: u32| u16::try_from((number >> shift) & 0xffff).unwrap_or_default();
        let report = u32::try_from(number & 0xffff_ffff).unwrap_or_default();
        Self {
            page: part(48),
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
    failed: AtomicU32,
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
    pub(super) settled: Notify,
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
            settled: Notify::new(),
            reported,
            fatal: AtomicU8::new(0),
        };
        (Arc::new(ledger), finished)
    }

    /// Begins a page: it is not done before [`settle`](Self::settle) was called once more than
    /// [`note`](Self::note).
    pub(super) fn begin(&self, page: u16) {
        if let Some(page) = self.pages.get(usize::from(page)) {
            page.failed.store(0, Ordering::Relaxed);
            page.outstanding.store(1, Ordering::Relaxed);
        }
    }

    /// Whether nothing is noted on a page that was begun.
    pub(super) fn is_blank(&self, page: u16) -> bool {
        let page = self.pages.get(usize::from(page));
        page.is_some_and(|page| page.outstanding.load(Ordering::Relaxed) == 1)
    }

    /// Notes a message on a page.
    pub(super) fn note(&self, ticket: Ticket) {
        if let Some(page) = self.pages.get(usize::from(ticket.page)) {
            page.outstanding.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(tally) = self.tally(ticket.row) {
            tally.taken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One message of a page has its report.
    pub(super) fn settle(&self, index: u16, failed: bool) {
        let Some(page) = self.pages.get(usize::from(index)) else {
            return;
        };
        if failed {
            page.failed.fetch_add(1, Ordering::Relaxed);
        }
        // SYNC page-done: the last one sees what the others counted.
        if page.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            // There is room for every page; no receiver means that the ledger was closed.
            _ = self.done.try_send(index);
            self.settled.notify_one();
        }
    }

    /// How many messages of a page that is done failed.
    pub(super) fn failed(&self, page: u16) -> u64 {
        let page = self.pages.get(usize::from(page));
        page.map_or(0, |page| u64::from(page.failed.load(Ordering::Acquire)))
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
        self.settled.notify_one();
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
