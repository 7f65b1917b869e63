//! Delivers the lanes' frames.
//!
//! Frames go to the library's producers, which confirm them in any order. A few in a row of one lane are a page of the
//! ledger; a lane's pages are released in their order, each when all of its messages have their delivery report. What
//! has its report behind a message that waits, perhaps for a dead cluster, is noted in the lane: when everything is sent
//! again, by new producers or a new engine, it is not.

use super::ledger::{Ledger, Outcome, Tally};
use super::notice::Notices;
use super::pages::Pages;
use super::presence::Presence;
use super::send::{Producers, Sent};
use super::socket::Seats;
use crate::kafka::settings::Settings;
use crate::link::{Outbound, Verdict};
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Cost of a turn, in bytes, if there are so many.
const TURN_COST: usize = 256 * 1024;

/// Turns before delivery reports are looked at.
const TURNS: usize = 64;

/// Pause before a full library is tried again, unless it tells before that it delivered something.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Pause before everything is made anew after a fatal error.
const FATAL_PAUSE: Duration = Duration::from_secs(1);

/// How often it is shown and noted what became of messages while older ones wait.
const LOOK: Duration = Duration::from_secs(1);

/// How long new certificates wait for what is on its way with the old ones.
const RENEWAL_WAIT: Duration = Duration::from_secs(5);

/// Why serving ended.
enum End<'a> {
    /// Everything accepted is delivered and nothing more is accepted.
    Drained,
    /// All that is on its way is to be sent again.
    Failed,
    /// Producers with new certificates go on.
    Renewed(Box<Opened<'a>>),
}

/// Producers, and the pages that they will be done with.
type Opened<'a> = (Producers<'a>, Receiver<u16>);

/// What the publisher needs besides the lanes.
pub(super) struct Desk {
    pub(super) settings: Rc<Settings>,
    pub(super) presence: Rc<Presence>,
    pub(super) seats: Rc<Seats>,
    pub(super) tallies: Arc<[Tally]>,
    pub(super) outcomes: Sender<Outcome>,
    pub(super) reported: Arc<Notify>,
    pub(super) notices: Notices,
}

/// Runs until the engine drains and everything is delivered.
///
/// # Errors
/// What the library does not take of the settings.
pub(super) async fn run(
    desk: Desk,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
    mut renewals: watch::Receiver<u64>,
) -> Result<(), String> {
    let mut opened = open(&desk)?;
    loop {
        let mut publisher = Publisher::new(&desk, &mut outbound, opened);
        let end = publisher.serve(&mut drain, &mut renewals).await;
        publisher.look();
        drop(publisher);
        match end {
            End::Drained => return Ok(()),
            End::Renewed(renewed) => {
                opened = *renewed;
                desk.presence.renewed();
                outbound.rewind();
                continue;
            }
            End::Failed => {}
        }
        desk.presence
            .complained("the library gave up; everything on its way is sent again");
        outbound.rewind();
        tokio::time::sleep(FATAL_PAUSE).await;
        renewals.mark_unchanged();
        opened = open(&desk)?;
    }
}

fn open(desk: &Desk) -> Result<Opened<'_>, String> {
    let (ledger, finished) = Ledger::open(
        Arc::clone(&desk.tallies),
        desk.outcomes.clone(),
        Arc::clone(&desk.reported),
        desk.notices.clone(),
    );
    Ok((Producers::open(desk, ledger)?, finished))
}

/// Waits until then, or for ever.
async fn sleep_until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}

struct Publisher<'o, 'a> {
    desk: &'a Desk,
    outbound: &'o mut Outbound,
    producers: Producers<'a>,
    finished: Receiver<u16>,
    pages: Pages,
    /// Lanes whose next message the library has no room for, and until when they wait.
    held: BTreeSet<usize>,
    held_until: Instant,
    /// When it is time for a [`look`](Self::look).
    look_at: Instant,
}

impl<'o, 'a> Publisher<'o, 'a> {
    fn new(desk: &'a Desk, outbound: &'o mut Outbound, (producers, finished): Opened<'a>) -> Self {
        let lanes = outbound.lanes();
        Self {
            desk,
            outbound,
            producers,
            finished,
            pages: Pages::new(lanes),
            held: BTreeSet::new(),
            held_until: Instant::now(),
            look_at: Instant::now() + LOOK,
        }
    }

    async fn serve(
        &mut self,
        drain: &mut watch::Receiver<bool>,
        renewals: &mut watch::Receiver<u64>,
    ) -> End<'a> {
        let mut draining = false;
        // Producers with new certificates, and until when they wait.
        let mut renewal: Option<(Instant, Box<Opened<'a>>)> = None;
        loop {
            self.collect();
            if self.producers.ledger.is_failed() {
                return End::Failed;
            }
            if renewal.is_none() && self.fill() {
                // Other tasks have their turns.
                tokio::task::yield_now().await;
                continue;
            }
            let quiet = self.pages.are_all_free();
            let limit = renewal.as_ref().map(|(limit, _)| *limit);
            if let Some((_, renewed)) =
                renewal.take_if(|(limit, _)| quiet || *limit <= Instant::now())
            {
                return End::Renewed(renewed);
            }
            if draining && quiet && self.held.is_empty() {
                self.outbound.close();
                if self.outbound.is_empty() {
                    return End::Drained;
                }
                continue;
            }
            let (pages, held) = (&self.pages, &self.held);
            let may = |lane| pages.is_one_for(lane) && !held.contains(&lane);
            tokio::select! {
                () = self.outbound.ready_among(may), if renewal.is_none() => {}
                Ok(()) = renewals.changed(), if renewal.is_none() => {
                    match open(self.desk) {
                        Ok(opened) => {
                            renewal = Some((Instant::now() + RENEWAL_WAIT, Box::new(opened)));
                            self.producers.flush();
                        }
                        Err(why) => self.desk.presence.not_renewed(&why),
                    }
                }
                () = sleep_until(limit), if limit.is_some() => {}
                () = self.producers.ledger.moved.notified() => {}
                () = tokio::time::sleep_until(self.held_until), if !held.is_empty() => {}
                () = tokio::time::sleep_until(self.look_at), if !quiet => {}
                _ = drain.wait_for(|drain| *drain), if !draining => {
                    draining = true;
                    self.desk.presence.draining();
                    self.producers.flush();
                }
            }
        }
    }

    /// Hands frames to the library. True if there were any.
    fn fill(&mut self) -> bool {
        let Self {
            producers,
            outbound,
            pages,
            held,
            ..
        } = self;
        if !held.is_empty() && self.held_until <= Instant::now() {
            held.clear();
        }
        for turn in 0..TURNS {
            let may = |lane| pages.is_one_for(lane) && !held.contains(&lane);
            let Some(lane) = outbound.next(may) else {
                return turn > 0;
            };
            let Some(open) = pages.open(lane, &producers.ledger) else {
                return turn > 0;
            };
            let mut full = false;
            let taken = outbound.turn(lane, TURN_COST, |before, frame| {
                let Some(place) = open.place(before) else {
                    return Verdict::Later;
                };
                match producers.send(frame, open.page, place) {
                    Sent::Done => Verdict::Sent(frame.len()),
                    Sent::Never => Verdict::Rejected,
                    Sent::Full => {
                        full = true;
                        Verdict::Later
                    }
                }
            });
            pages.close(open, taken, &producers.ledger);
            if full {
                held.insert(lane);
                self.held_until = Instant::now() + FULL_PAUSE;
            }
        }
        true
    }

    /// Releases the pages that are done.
    fn collect(&mut self) {
        let mut any = false;
        while let Ok(page) = self.finished.try_recv() {
            any = true;
            let ledger = &self.producers.ledger;
            self.pages.finish(page, ledger, self.outbound);
        }
        if any {
            // There may be room in the library again.
            self.held.clear();
            self.desk.presence.show(&self.desk.tallies);
        }
        if self.look_at <= Instant::now() {
            self.look();
        }
    }

    /// Shows and notes what became of messages, also of those that have to wait for older ones.
    fn look(&mut self) {
        self.pages.note(&self.producers.ledger, self.outbound);
        self.desk.presence.show(&self.desk.tallies);
        self.look_at = Instant::now() + LOOK;
    }
}
