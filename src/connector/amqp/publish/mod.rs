//! Delivers the lanes' frames.
//!
//! Frames are encoded from the lanes into the buffer of their server's [`Line`], a few at a time as one
//! batch; a batch's frames are released when its servers have confirmed all of them. What was not
//! confirmed when a connection is lost is sent again.
//!
//! No message is sent for an exchange that is not there (see [`exchange`](super::exchange)). Where a server
//! closes a channel because of a message all the same, it does not say which. Then those that were on
//! their way are sent one by one: the one that does it again is left out, and no other. From then on
//! messages for its exchange are sent while no other is on its way.

mod settle;

use super::line::Line;
use super::presence::Presence;
use super::query::Queries;
use super::send::{BATCH_COST, Batch, Sender};
use crate::frame::kazoo::{Order, Reason};
use crate::link::{Outbound, Verdict};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Cost of what is on its way and not confirmed: what can arrive twice after a crash.
const IN_FLIGHT_COST: usize = 384 * 1024;

/// Where nothing more can be sent, the queries that wait in the lanes are looked at so often: their time
/// may be over.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Publisher {
    pub(super) outbound: Outbound,
    /// One per server.
    pub(super) lines: Vec<Rc<Line>>,
    /// Those of the primary zone, by their places in `lines`.
    pub(super) primary: Vec<usize>,
    pub(super) presence: Rc<Presence>,
    pub(super) queries: Rc<Queries>,
    /// Rung by the lines.
    pub(super) progress: Rc<Notify>,
    pub(super) in_flight: InFlight,
}

/// What is on its way.
#[derive(Default)]
pub(super) struct InFlight {
    /// Oldest first.
    batches: VecDeque<Batch>,
    cost: usize,
    spare: Vec<Batch>,
    /// So many frames are to be sent one by one.
    careful: u64,
    /// Nothing is to be sent before what is on its way is settled.
    fenced: bool,
    /// Frames were looked at for queries only, and are still to be taken.
    looked: bool,
    body: Vec<u8>,
}

impl Publisher {
    /// Runs until the engine drains and everything is delivered.
    pub(super) async fn run(mut self, mut drain: watch::Receiver<bool>) {
        let mut draining = false;
        let mut look_at: Option<Instant> = None;
        loop {
            self.look_at_lines();
            self.release();
            let full = self.fill(draining);
            if draining && self.is_done() {
                break;
            }
            let waits = full || (draining && self.usable().is_none());
            let soon = || Instant::now() + LOOK_PAUSE;
            look_at = waits.then(|| look_at.unwrap_or_else(soon));
            tokio::select! {
                () = self.progress.notified() => {}
                () = self.outbound.ready(), if !waits => {}
                () = tokio::time::sleep_until(look_at.unwrap_or_else(soon)), if look_at.is_some() => {
                    self.look_ahead();
                    look_at = None;
                }
                // A closed channel means that the engine is gone: drain as well.
                _ = drain.wait_for(|drain| *drain), if !draining => {
                    draining = true;
                    self.presence.draining();
                }
            }
        }
        for line in &self.lines {
            line.end().await;
        }
    }

    /// True if nothing is left, and nothing more is accepted.
    fn is_done(&mut self) -> bool {
        if !self.in_flight.batches.is_empty() {
            return false;
        }
        self.forget_looks();
        if !self.outbound.is_empty() {
            return false;
        }
        self.outbound.close();
        // Something may have been accepted at the last moment.
        self.outbound.is_empty()
    }

    /// The first server of the primary zone that takes messages.
    fn usable(&self) -> Option<&Rc<Line>> {
        let lines = self.primary.iter().filter_map(|at| self.lines.get(*at));
        lines.into_iter().find(|line| line.is_usable())
    }

    /// Takes frames while they may be sent. True if no more should be looked for now.
    fn fill(&mut self, draining: bool) -> bool {
        let Some(first) = self.usable().map(Rc::clone) else {
            // Frames wait in their lanes, but nobody should wait for an answer.
            let looks = self.in_flight.batches.is_empty() && !draining;
            if looks {
                self.look_for_queries();
            }
            return !looks;
        };
        self.forget_looks();
        loop {
            let in_flight = &mut self.in_flight;
            let (careful, idle) = (in_flight.careful > 0, in_flight.batches.is_empty());
            if in_flight.cost >= IN_FLIGHT_COST || ((careful || in_flight.fenced) && !idle) {
                return true;
            }
            let cost_max = if careful { 1 } else { BATCH_COST };
            let mut batch = in_flight.spare.pop().unwrap_or_default();
            let mut sender = Sender {
                first: &first,
                lines: &self.lines,
                presence: &self.presence,
                queries: &self.queries,
                body: &mut in_flight.body,
                batch: &mut batch,
                idle,
                waits: false,
                fences: false,
            };
            let taken = self.outbound.take(cost_max, |frame| sender.encode(frame));
            let waits = sender.waits;
            in_flight.fenced = sender.fences;
            if !taken {
                in_flight.spare.push(batch);
                if waits || in_flight.fenced {
                    return true;
                }
                in_flight.careful = 0;
                return false;
            }
            self.outbound.mark(&mut batch.mark);
            for (at, tag) in &batch.tags {
                if let Some(line) = self.lines.get(*at) {
                    line.write_up_to(*tag);
                }
            }
            in_flight.careful = in_flight.careful.saturating_sub(batch.frames);
            in_flight.cost += batch.cost;
            let nothing = batch.tags.is_empty();
            in_flight.batches.push_back(batch);
            if nothing {
                self.release();
            }
            if waits {
                return true;
            }
        }
    }

    /// Queries that cannot be sent yet get their deadlines already.
    fn look_ahead(&mut self) {
        let queries = &self.queries;
        self.outbound.look(|frame| {
            if let Some(Order::Query(query)) = Order::parse(frame) {
                // Whether it is still to be sent is asked once more then.
                _ = queries.enter(&query);
            }
        });
    }

    /// Queries among the frames fail now.
    fn look_for_queries(&mut self) {
        let queries = &self.queries;
        let looked = self.outbound.take(usize::MAX, |frame| {
            if let Some(Order::Query(query)) = Order::parse(frame) {
                queries.fail(&query, Reason::Unconnected);
            }
            Verdict::Obeyed
        });
        self.in_flight.looked |= looked;
    }

    fn forget_looks(&mut self) {
        if std::mem::take(&mut self.in_flight.looked) {
            self.outbound.rewind();
        }
    }
}
