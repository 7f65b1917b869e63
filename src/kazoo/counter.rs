//! The counters of the kazoo module, under the names that are shown.

use crate::module::{Counter, Place, arrived, connector as common, handled, submitted, taken};

/// Slots of a lane, beside those of [`submitted`].
pub mod call {
    /// Queries, blocking or not, that were asked for.
    pub const QUERIES: usize = 6;
    /// Calls for which no connection was open.
    pub const NO_CONNECTION: usize = 7;
}

/// Slots of the connector; those below are the same for every module.
pub mod connector {
    /// Messages that the server gave back (basic.nack).
    pub const RETURNED: usize = 2;
    /// Queries that were answered in time.
    pub const ANSWERED: usize = 3;
    /// Queries whose time was over.
    pub const TIMEOUTS: usize = 4;
    /// Queries that failed for another reason.
    pub const QUERIES_FAILED: usize = 5;
    /// Answers that came after their query's time.
    pub const LATE_REPLIES: usize = 6;
    /// Messages that were acknowledged.
    pub const ACKED: usize = 7;
    /// Messages that came once more.
    pub const REDELIVERED: usize = 8;
    /// Answers larger than a query's process takes.
    pub const REPLIES_OVERSIZED: usize = 9;
}

/// All of them, as statistics and `kazoo.stats` show them.
#[rustfmt::skip]
pub const COUNTERS: &[Counter] = &[
    Counter::new(c"connected", &[Place::Connected]),
    Counter::new(c"lanes_used", &[Place::LanesUsed]),
    Counter::new(c"inboxes_used", &[Place::InboxesUsed]),
    Counter::new(c"published", &[Place::Submitted(submitted::PUBLISHED)]),
    Counter::new(c"accepted", &[Place::Submitted(submitted::ACCEPTED)]),
    Counter::new(
        c"refused",
        &[
            Place::Submitted(submitted::FULL),
            Place::Submitted(submitted::OVERSIZED),
            Place::Submitted(submitted::INVALID),
            Place::Submitted(submitted::STOPPING),
            Place::Submitted(call::NO_CONNECTION),
        ],
    ),
    Counter::new(c"refused_full", &[Place::Submitted(submitted::FULL)]),
    Counter::new(c"refused_oversized", &[Place::Submitted(submitted::OVERSIZED)]),
    Counter::new(c"refused_invalid", &[Place::Submitted(submitted::INVALID)]),
    Counter::new(c"refused_stopping", &[Place::Submitted(submitted::STOPPING)]),
    Counter::new(c"refused_no_connection", &[Place::Submitted(call::NO_CONNECTION)]),
    Counter::new(c"confirmed", &[Place::Taken(taken::DELIVERED)]),
    Counter::new(c"rejected", &[Place::Taken(taken::REJECTED)]),
    Counter::new(c"returned", &[Place::Connector(connector::RETURNED)]),
    Counter::new(c"queries", &[Place::Submitted(call::QUERIES)]),
    Counter::new(c"answered", &[Place::Connector(connector::ANSWERED)]),
    Counter::new(c"timeouts", &[Place::Connector(connector::TIMEOUTS)]),
    Counter::new(c"queries_failed", &[Place::Connector(connector::QUERIES_FAILED)]),
    Counter::new(c"queries_unsent", &[Place::Taken(taken::OBEYED)]),
    Counter::new(c"late_replies", &[Place::Connector(connector::LATE_REPLIES)]),
    Counter::new(c"replies_oversized", &[Place::Connector(connector::REPLIES_OVERSIZED)]),
    Counter::new(c"received", &[Place::Arrived(arrived::RECEIVED)]),
    Counter::new(c"received_oversized", &[Place::Arrived(arrived::OVERSIZED)]),
    Counter::new(c"received_unreadable", &[Place::Handled(handled::UNREADABLE)]),
    Counter::new(c"consumed", &[Place::Handled(handled::CONSUMED)]),
    Counter::new(c"unrouted", &[Place::Handled(handled::UNROUTED)]),
    Counter::new(c"acked", &[Place::Connector(connector::ACKED)]),
    Counter::new(c"redelivered", &[Place::Connector(connector::REDELIVERED)]),
    Counter::new(c"reconnects", &[Place::Connector(common::RECONNECTS)]),
    Counter::new(c"server_errors", &[Place::Connector(common::SERVER_ERRORS)]),
    Counter::new(c"tls_renewals", &[Place::Connector(common::RENEWALS)]),
];
