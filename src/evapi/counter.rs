//! The counters of the evapi module, under the names that are shown.

use crate::module::{Counter, Place, arrived, connector as common, handled, submitted, taken};

/// Slot of a lane, beside [`submitted`]: async functions that found nobody there.
pub const NOBODY: usize = 6;

/// Slot of a lane: answers for a transaction that was not suspended any more.
pub const LATE: usize = 7;

/// Slot of an inbox, beside [`handled`]: messages of clients that a script had closed.
pub const DISCARDED: usize = 2;

/// Slots of the connector; those below are the same for every module.
pub mod connector {
    /// Connections accepted; also what makes a client's number unique.
    pub const CONNECTIONS: usize = 4;
    /// Connections that ended.
    pub const DISCONNECTIONS: usize = 5;
    /// Connections over the most.
    pub const REFUSED: usize = 6;
    /// Connections without the right secret or certificate, or too slow to show it.
    pub const LOGINS_REFUSED: usize = 7;
    /// Connections closed because their buffer was full.
    pub const CLOSED_FULL: usize = 8;
    /// Frames left out because a buffer was full.
    pub const FRAMES_DROPPED: usize = 9;
    /// Bytes skipped because they were no netstring.
    pub const GARBAGE: usize = 10;
}

/// All of them, as statistics and `evapi.stats` show them.
#[rustfmt::skip]
pub const COUNTERS: &[Counter] = &[
    Counter::new(c"connected", &[Place::Connected]),
    Counter::new(c"lanes_used", &[Place::LanesUsed]),
    Counter::new(c"inboxes_used", &[Place::InboxesUsed]),
    Counter::new(c"relayed", &[Place::Submitted(submitted::PUBLISHED)]),
    Counter::new(c"accepted", &[Place::Submitted(submitted::ACCEPTED)]),
    Counter::new(
        c"refused",
        &[
            Place::Submitted(submitted::FULL),
            Place::Submitted(submitted::OVERSIZED),
            Place::Submitted(submitted::INVALID),
            Place::Submitted(submitted::STOPPING),
            Place::Submitted(NOBODY),
        ],
    ),
    Counter::new(c"refused_full", &[Place::Submitted(submitted::FULL)]),
    Counter::new(c"refused_oversized", &[Place::Submitted(submitted::OVERSIZED)]),
    Counter::new(c"refused_invalid", &[Place::Submitted(submitted::INVALID)]),
    Counter::new(c"refused_stopping", &[Place::Submitted(submitted::STOPPING)]),
    Counter::new(c"async_nobody", &[Place::Submitted(NOBODY)]),
    Counter::new(c"late_answers", &[Place::Submitted(LATE)]),
    Counter::new(c"delivered", &[Place::Taken(taken::DELIVERED)]),
    Counter::new(c"undelivered", &[Place::Taken(taken::REJECTED)]),
    Counter::new(c"received", &[Place::Arrived(arrived::RECEIVED)]),
    Counter::new(c"received_oversized", &[Place::Arrived(arrived::OVERSIZED)]),
    Counter::new(c"consumed", &[Place::Handled(handled::CONSUMED)]),
    Counter::new(c"unrouted", &[Place::Handled(handled::UNROUTED)]),
    Counter::new(c"discarded", &[Place::Handled(DISCARDED)]),
    Counter::new(c"connections", &[Place::Connector(connector::CONNECTIONS)]),
    Counter::new(c"disconnections", &[Place::Connector(connector::DISCONNECTIONS)]),
    Counter::new(c"clients_refused", &[Place::Connector(connector::REFUSED)]),
    Counter::new(c"clients_closed_full", &[Place::Connector(connector::CLOSED_FULL)]),
    Counter::new(c"logins_refused", &[Place::Connector(connector::LOGINS_REFUSED)]),
    Counter::new(c"frames_dropped", &[Place::Connector(connector::FRAMES_DROPPED)]),
    Counter::new(c"garbage", &[Place::Connector(connector::GARBAGE)]),
    Counter::new(c"tls_renewals", &[Place::Connector(common::RENEWALS)]),
];
