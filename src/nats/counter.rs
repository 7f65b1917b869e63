//! The counters of the NATS module, under the names that are shown.

use crate::module::{Counter, Place, arrived, connector, handled, submitted, taken};

/// All of them, as statistics and `nats.stats` show them.
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
        ],
    ),
    Counter::new(c"refused_full", &[Place::Submitted(submitted::FULL)]),
    Counter::new(
        c"refused_oversized",
        &[Place::Submitted(submitted::OVERSIZED)],
    ),
    Counter::new(c"refused_invalid", &[Place::Submitted(submitted::INVALID)]),
    Counter::new(
        c"refused_stopping",
        &[Place::Submitted(submitted::STOPPING)],
    ),
    Counter::new(c"delivered", &[Place::Taken(taken::DELIVERED)]),
    Counter::new(c"rejected", &[Place::Taken(taken::REJECTED)]),
    Counter::new(c"received", &[Place::Arrived(arrived::RECEIVED)]),
    Counter::new(c"received_oversized", &[Place::Arrived(arrived::OVERSIZED)]),
    Counter::new(c"consumed", &[Place::Handled(handled::CONSUMED)]),
    Counter::new(c"unrouted", &[Place::Handled(handled::UNROUTED)]),
    Counter::new(c"reconnects", &[Place::Connector(connector::RECONNECTS)]),
    Counter::new(
        c"server_errors",
        &[Place::Connector(connector::SERVER_ERRORS)],
    ),
    Counter::new(c"tls_renewals", &[Place::Connector(connector::RENEWALS)]),
];
