//! What all modules have in common: counters by name and place, and figures for people.
#![forbid(unsafe_code)]

use crate::shm::region::Region;
use std::ffi::CStr;

/// Slots that a Kamailio process writes in its lane, the same for every module.
pub mod submitted {
    /// Calls.
    pub const PUBLISHED: usize = 0;
    /// Calls whose message was accepted.
    pub const ACCEPTED: usize = 1;
    /// Refused because the lane was full and the peer took nothing.
    pub const FULL: usize = 2;
    /// Refused because of the message's size.
    pub const OVERSIZED: usize = 3;
    /// Refused because of an argument.
    pub const INVALID: usize = 4;
    /// Refused because Kamailio stops.
    pub const STOPPING: usize = 5;
}

/// Slots that the engine writes per lane, the same for every module.
pub mod taken {
    /// The peer confirmed having it.
    pub const DELIVERED: usize = 0;
    /// Accepted, but the peer does not take it.
    pub const REJECTED: usize = 1;
    /// Nothing for the peer, or nothing any more.
    pub const OBEYED: usize = 2;
}

/// Slots that the engine writes per inbox, the same for every module.
pub mod arrived {
    /// Events put into the inbox.
    pub const RECEIVED: usize = 0;
    /// Events larger than the inbox.
    pub const OVERSIZED: usize = 1;
}

/// Slots that an event worker writes in its inbox, the same for every module.
pub mod handled {
    /// Events whose route or callback has run.
    pub const CONSUMED: usize = 0;
    /// Events for which there was neither.
    pub const UNROUTED: usize = 1;
    /// Events that could not be read, so that there was nothing to run a route for.
    pub const UNREADABLE: usize = 2;
}

/// Slots of a connector as a whole, the same for every module.
pub mod connector {
    /// Connections that were made again.
    pub const RECONNECTS: usize = 0;
    /// Errors the peer reported.
    pub const SERVER_ERRORS: usize = 1;
    /// Connections that were made again with certificates read anew; of a server, the readings.
    pub const RENEWALS: usize = 11;
}

/// How a connector stands to its peer. The numbers are what the region holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not connected yet, or not any more.
    Disconnected = 0,
    /// Every connection is up.
    Connected = 1,
    /// Delivering the rest before the end.
    Draining = 2,
}

impl State {
    /// The state with that number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Connected,
            2 => Self::Draining,
            _ => Self::Disconnected,
        }
    }

    /// As reports show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
            Self::Draining => "draining",
        }
    }
}

/// Where the addends of a figure lie in the region.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// Written by Kamailio's processes, in their lanes.
    Submitted(usize),
    /// Written by the engine, per lane.
    Taken(usize),
    /// Written by the engine, per inbox.
    Arrived(usize),
    /// Written by event workers, in their inboxes.
    Handled(usize),
    /// Written by the connector.
    Connector(usize),
    /// 1 while every connection is up, else 0.
    Connected,
    /// Bytes in the lanes: accepted, and not released yet.
    LanesUsed,
    /// Bytes in the inboxes: for event workers, and not handled yet.
    InboxesUsed,
}

/// A counter of a module, summed up over processes when it is read.
#[derive(Debug)]
pub struct Counter {
    /// Its name in statistics and RPC.
    pub name: &'static CStr,
    places: &'static [Place],
}

impl Counter {
    /// A counter that is the sum of `places`.
    #[must_use]
    pub const fn new(name: &'static CStr, places: &'static [Place]) -> Self {
        Self { name, places }
    }

    /// Its value now, for module `index` of `region`.
    #[must_use]
    pub fn value(&self, region: &Region, index: usize) -> u64 {
        self.places
            .iter()
            .map(|place| sum(region, index, *place))
            .fold(0, u64::wrapping_add)
    }
}

fn sum(region: &Region, module: usize, place: Place) -> u64 {
    let lanes = || (0..region.plan().processes).filter_map(|i| region.lane(module, i));
    let inboxes = || {
        let count = region
            .plan()
            .modules
            .get(module)
            .map_or(0, |plan| plan.inboxes);
        (0..count).filter_map(|i| region.inbox(module, i))
    };
    let value = |counter: Option<&'static crate::shm::counter::Counter>| {
        counter.map_or(0, crate::shm::counter::Counter::value)
    };
    match place {
        Place::Submitted(slot) => lanes()
            .map(|(lane, _)| value(lane.submitted.get(slot)))
            .sum(),
        Place::Taken(slot) => lanes().map(|(lane, _)| value(lane.taken.get(slot))).sum(),
        Place::Arrived(slot) => inboxes()
            .map(|(inbox, _)| value(inbox.delivered.get(slot)))
            .sum(),
        Place::Handled(slot) => inboxes()
            .map(|(inbox, _)| value(inbox.handled.get(slot)))
            .sum(),
        Place::Connector(slot) => value(region.module(module).counters.get(slot)),
        Place::Connected => {
            let state = State::from_number(region.module(module).state.value());
            u64::from(state == State::Connected && region.head().engine.pid.value() != 0)
        }
        Place::LanesUsed => lanes().map(|(_, ring)| ring.used() as u64).sum(),
        Place::InboxesUsed => inboxes().map(|(_, ring)| ring.used() as u64).sum(),
    }
}
