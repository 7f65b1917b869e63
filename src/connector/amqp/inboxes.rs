//! The event workers' inboxes, which all tasks of the connector share.
//!
//! Messages are staged if there is room; else who read them stops reading. What the engine itself
//! has to tell, and answers that must not wait behind events, stand in a queue of their own here.

use crate::frame::kazoo::Event;
use crate::link::Inbound;
use crate::module::arrived;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use tokio::sync::watch;

/// Bytes of answers that may stand here before their connection is not read any more.
const BACKLOG_BYTES: usize = 4 * 1024 * 1024;

/// What one worker is given at once may take it so long.
const RUN_NANOS: u64 = 100_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Inboxes {
    inbounds: RefCell<Vec<Inbound>>,
    /// By worker: the announcement in force, as the number of rings it was made at, and its position.
    announced: RefCell<Vec<(u64, u64)>>,
    rings: watch::Receiver<u64>,
    /// Whole frames.
    backlog: RefCell<VecDeque<Vec<u8>>>,
    backlog_bytes: Cell<usize>,
    /// The worker that got the last event, and how many more it gets before these are shown.
    run: Cell<(usize, u64)>,
}

/// Where an event is: to be asked with [`Inboxes::is_handled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) worker: usize,
    pub(super) position: u64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Staged(Place),
    /// The worker has no room now.
    Full,
    /// It is larger than an inbox.
    TooLarge,
    /// It is for nobody's route: a query had waited for it.
    Answered,
}

impl Inboxes {
    pub(super) fn new(inbounds: Vec<Inbound>, rings: watch::Receiver<u64>) -> Self {
        // As if made at a ring that never comes.
        let announced = vec![(u64::MAX, 0); inbounds.len()];
        Self {
            inbounds: RefCell::new(inbounds),
            announced: RefCell::new(announced),
            rings,
            backlog: RefCell::default(),
            backlog_bytes: Cell::new(0),
            run: Cell::new((0, 0)),
        }
    }

    /// How many workers there are.
    pub(super) fn len(&self) -> usize {
        self.inbounds.borrow().len()
    }

    /// Tells when workers have rung.
    pub(super) fn rings(&self) -> watch::Receiver<u64> {
        self.rings.clone()
    }

    /// The largest event, in bytes.
    pub(super) fn event_bytes_max(&self) -> usize {
        let inbounds = self.inbounds.borrow();
        inbounds.first().map_or(0, Inbound::event_bytes_max)
    }

    /// Puts a message behind the others of `worker`, or of the one with the least to do;
    /// [`deliver`](Self::deliver) shows it. Where it is full, [`rings`](Self::rings) tells of room.
    pub(super) fn give(&self, event: &Event<'_>, worker: Option<usize>) -> Given {
        let worker = worker.unwrap_or_else(|| self.next());
        let given = event.write(|parts| self.stage(worker, parts));
        let given = given.unwrap_or(Given::TooLarge);
        let inbounds = self.inbounds.borrow();
        if let (Event::Message { .. }, Some(inbound)) = (event, inbounds.get(worker)) {
            match given {
                Given::Staged(_) => inbound.count(arrived::RECEIVED, 1),
                Given::TooLarge => inbound.count(arrived::OVERSIZED, 1),
                Given::Full | Given::Answered => {}
            }
        }
        given
    }

    /// Counts a message that was too large to be kept at all.
    pub(super) fn left_out(&self) {
        if let Some(inbound) = self.inbounds.borrow().first() {
            inbound.count(arrived::OVERSIZED, 1);
        }
    }

    fn stage(&self, worker: usize, parts: &[&[u8]]) -> Given {
        let mut inbounds = self.inbounds.borrow_mut();
        let Some(inbound) = inbounds.get_mut(worker) else {
            return Given::TooLarge;
        };
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > inbound.event_bytes_max() {
            return Given::TooLarge;
        }
        if inbound.try_stage(parts) {
            return Given::Staged(Place {
                worker,
                position: inbound.position(),
            });
        }
        inbound.deliver();
        self.end_run();
        if let Some(announced) = self.announced.borrow_mut().get_mut(worker) {
            *announced = (*self.rings.borrow(), 0);
        }
        // Room that came in between is room.
        if inbound.want_room(bytes) && inbound.try_stage(parts) {
            return Given::Staged(Place {
                worker,
                position: inbound.position(),
            });
        }
        Given::Full
    }

    /// Who gets the next event. Each worker that is woken costs as much as several short events, so
    /// one gets all that it can handle in a moment.
    fn next(&self) -> usize {
        let (last, left) = self.run.get();
        if left > 0 {
            self.run.set((last, left - 1));
            return last;
        }
        let worker = self.least_loaded(last);
        let inbounds = self.inbounds.borrow();
        let pace = inbounds.get(worker).map_or(0, Inbound::pace);
        let run = RUN_NANOS.checked_div(pace).unwrap_or(0);
        self.run.set((worker, run.saturating_sub(1)));
        worker
    }

    /// The worker with the least to do; of several, `last` first, which may still be awake.
    fn least_loaded(&self, last: usize) -> usize {
        let inbounds = self.inbounds.borrow();
        let count = inbounds.len().max(1);
        let indexes = (0..count).map(|offset| (last + offset) % count);
        let load = |index: &usize| inbounds.get(*index).map_or(0, Inbound::waiting_bytes);
        indexes.min_by_key(load).unwrap_or(0)
    }

    /// Shows what was staged.
    pub(super) fn deliver(&self) {
        self.inbounds
            .borrow_mut()
            .iter_mut()
            .for_each(Inbound::deliver);
        self.end_run();
    }

    fn end_run(&self) {
        let (last, _) = self.run.get();
        self.run.set((last, 0));
    }

    /// Puts an event into the inbox of the worker with the least to do and shows it, or keeps it
    /// until there is room. False if it is larger than an inbox.
    pub(super) fn tell(&self, event: &Event<'_>) -> bool {
        let given = if self.backlog.borrow().is_empty() {
            self.give(event, None)
        } else {
            Given::Full
        };
        match given {
            Given::Staged(_) | Given::Answered => {
                self.deliver();
                true
            }
            Given::Full => {
                let frame = event.write(|parts| parts.concat()).unwrap_or_default();
                self.backlog_bytes
                    .set(self.backlog_bytes.get() + frame.len());
                self.backlog.borrow_mut().push_back(frame);
                true
            }
            Given::TooLarge => false,
        }
    }

    /// True if so much stands here that nothing should be added that can wait elsewhere.
    pub(super) fn is_crowded(&self) -> bool {
        self.backlog_bytes.get() >= BACKLOG_BYTES
    }

    /// Hands on what stands here, each time there is room. Runs until it is dropped.
    pub(super) async fn run(&self) {
        let mut rings = self.rings();
        loop {
            rings.mark_unchanged();
            self.hand_on();
            if rings.changed().await.is_err() {
                return;
            }
        }
    }

    fn hand_on(&self) {
        loop {
            let next = self.backlog.borrow_mut().pop_front();
            let Some(frame) = next else { break };
            if let Given::Full = self.stage(self.next(), &[&frame]) {
                self.backlog.borrow_mut().push_front(frame);
                break;
            }
            self.backlog_bytes
                .set(self.backlog_bytes.get() - frame.len());
        }
        self.deliver();
    }

    /// True if the worker has released the event at `place`.
    pub(super) fn is_handled(&self, place: Place) -> bool {
        let inbounds = self.inbounds.borrow();
        let inbound = inbounds.get(place.worker);
        inbound.is_none_or(|inbound| inbound.handled() >= place.position)
    }

    /// Asks for a ring when the event at `place` is handled. True if that is so already.
    pub(super) fn want_handled(&self, place: Place) -> bool {
        let mut inbounds = self.inbounds.borrow_mut();
        let mut all = self.announced.borrow_mut();
        let (Some(inbound), Some(announced)) =
            (inbounds.get_mut(place.worker), all.get_mut(place.worker))
        else {
            return true;
        };
        let rings = *self.rings.borrow();
        // Somebody asked for an earlier one, and was not told yet.
        let waits = *announced == (rings, 0)
            || (announced.0 == rings
                && announced.1 <= place.position
                && announced.1 > inbound.handled());
        if !waits {
            *announced = (rings, place.position);
            inbound.want_handled(place.position);
        }
        inbound.handled() >= place.position
    }
}
