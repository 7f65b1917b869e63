//! What a connector sees of the rest: frames to deliver, inboxes to fill, a board to report on,
//! and the word to drain. Connectors know nothing of shared memory.
#![forbid(unsafe_code)]

mod bell;
mod board;
mod inbound;
mod lane;
mod mailboxes;
mod outbound;
mod renewal;
mod roster;
#[cfg(test)]
pub(crate) mod stand;

pub use crate::shm::mailbox::Delivery;
pub use board::Board;
pub use inbound::{Inbound, TooLarge};
pub use lane::{Turn, Verdict};
pub use mailboxes::Mailboxes;
pub use outbound::{Mark, Outbound};
pub use renewal::Renewal;
pub use roster::{Entry, Roster};

use crate::shm::inbox::InboxEnd;
use crate::shm::lane::LaneEnd;
use crate::shm::mailbox::MailboxEnd;
use crate::shm::region::Region;
use crate::shm::ring::Ring;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use tokio::sync::{Notify, watch};

/// Everything one connector gets. Lives on the connector's own thread.
#[derive(Debug)]
pub struct Link {
    /// Frames from Kamailio's processes.
    pub outbound: Outbound,
    /// One per event worker.
    pub inbounds: Vec<Inbound>,
    /// Where blocking calls wait; without any for modules that have none.
    pub mailboxes: Mailboxes,
    /// Changes each time Kamailio's processes have rung: for tasks that wait for events to be handled.
    pub rings: watch::Receiver<u64>,
    /// State, for operators.
    pub board: Rc<Board>,
    /// Operators' wish for certificates to be read again.
    pub renewal: Renewal,
    /// The table of peers, for connectors that have several at a time.
    pub roster: Roster,
    /// Listening sockets that Kamailio opened, each with the number of its setting.
    pub listeners: Vec<(usize, OwnedFd)>,
    /// Becomes true when the engine is to deliver what was accepted and end.
    pub drain: watch::Receiver<bool>,
}

impl Link {
    /// Links to module `index`, whose doorbell is `waker`. Spawns the task that answers the
    /// doorbell on the current `LocalSet`.
    ///
    /// # Errors
    /// The system's, or that the region has no such module.
    pub fn open(
        region: &'static Region,
        index: usize,
        waker: OwnedFd,
        listeners: Vec<(usize, OwnedFd)>,
        drain: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let plan = region.plan().modules.get(index);
        let plan = plan.ok_or_else(|| io::Error::other("the region has no such module"))?;
        let module = region.module(index);
        let lanes = (0..region.plan().processes).filter_map(|i| LaneEnd::attach(region, index, i));
        let notify = Rc::new(Notify::new());
        let outbound = Outbound::new(lanes.collect(), &module.bell, Rc::clone(&notify));
        let mut notifies = vec![notify];
        let rings = (0..region.plan().processes).filter_map(|i| region.lane(index, i));
        let rings: Rc<[Ring]> = rings.map(|(_, ring)| ring).collect();
        let mut inbounds = Vec::new();
        for inbox in (0..plan.inboxes).filter_map(|i| InboxEnd::attach(region, index, i)) {
            let notify = Rc::new(Notify::new());
            let worker = inbounds.len();
            inbounds.push(Inbound::new(
                inbox,
                Rc::clone(&notify),
                worker,
                Rc::clone(&rings),
            ));
            notifies.push(notify);
        }
        let rings = bell::answer(waker, notifies)?;
        let mailboxes = (0..region.plan().processes).filter_map(|i| region.mailbox(index, i));
        let mailboxes = mailboxes.map(|(header, store)| MailboxEnd::attach(header, store));
        Ok(Self {
            outbound,
            inbounds,
            mailboxes: Mailboxes::new(mailboxes.collect()),
            renewal: Renewal::new(module, rings.clone()),
            rings,
            board: Rc::new(Board::new(module)),
            roster: Roster::new(module, region.rows(index).collect()),
            listeners,
            drain,
        })
    }
}
