//! The counters of the Kafka modules, under the names that are shown, and the figures of a line in
//! their tables.

use crate::module::{Counter, Place, arrived, connector, handled, submitted, taken};

/// What a line of a module's table says in figures. There is one per target, then one per socket that
/// events go to, then one per consumer.
pub mod figure {
    /// Messages taken from the lanes; of consumers the records received.
    pub const TAKEN: usize = 0;
    /// Messages the cluster has; of consumers the records handled.
    pub const DELIVERED: usize = 1;
    /// Messages it does not take.
    pub const FAILED: usize = 2;
    /// Messages in the library's queue, of all lines with the same connection.
    pub const QUEUED: usize = 3;
    /// Messages on their way, of all lines with the same connection.
    pub const IN_FLIGHT: usize = 4;
    /// How long the brokers take to answer, in microseconds.
    pub const ROUND_TRIP_US: usize = 5;
}

/// Slots of the connector, behind those that all modules have.
pub mod slot {
    /// Sockets of events that were left out: there were too many.
    pub const SOCKETS_REFUSED: usize = 2;
    /// Times that a consumer was given other partitions.
    pub const REBALANCES: usize = 3;
}

/// Slot of an event worker, behind those that all modules have: delivery reports that were run.
pub const REPORTED: usize = 2;

const REFUSED: &[Place] = &[
    Place::Submitted(submitted::FULL),
    Place::Submitted(submitted::OVERSIZED),
    Place::Submitted(submitted::INVALID),
    Place::Submitted(submitted::STOPPING),
];

/// Those of event_kafka.
pub const COUNTERS: &[Counter] = &[
    Counter::new(c"connected", &[Place::Connected]),
    Counter::new(c"lanes_used", &[Place::LanesUsed]),
    Counter::new(c"inboxes_used", &[Place::InboxesUsed]),
    Counter::new(c"published", &[Place::Submitted(submitted::PUBLISHED)]),
    Counter::new(c"accepted", &[Place::Submitted(submitted::ACCEPTED)]),
    Counter::new(c"refused", REFUSED),
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
    Counter::new(c"reported", &[Place::Handled(REPORTED)]),
    Counter::new(c"reconnects", &[Place::Connector(connector::RECONNECTS)]),
    Counter::new(
        c"server_errors",
        &[Place::Connector(connector::SERVER_ERRORS)],
    ),
    Counter::new(
        c"sockets_refused",
        &[Place::Connector(slot::SOCKETS_REFUSED)],
    ),
    Counter::new(c"rebalances", &[Place::Connector(slot::REBALANCES)]),
    Counter::new(c"tls_renewals", &[Place::Connector(connector::RENEWALS)]),
];

/// Those of kafka: the original's two, and ours.
pub const KAFKA_COUNTERS: &[Counter] = &[
    Counter::new(
        c"total_messages",
        &[
            Place::Taken(taken::DELIVERED),
            Place::Taken(taken::REJECTED),
        ],
    ),
    Counter::new(c"total_messages_err", &[Place::Taken(taken::REJECTED)]),
    Counter::new(c"connected", &[Place::Connected]),
    Counter::new(c"lanes_used", &[Place::LanesUsed]),
    Counter::new(c"published", &[Place::Submitted(submitted::PUBLISHED)]),
    Counter::new(c"accepted", &[Place::Submitted(submitted::ACCEPTED)]),
    Counter::new(c"refused", REFUSED),
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
    Counter::new(c"reconnects", &[Place::Connector(connector::RECONNECTS)]),
    Counter::new(
        c"server_errors",
        &[Place::Connector(connector::SERVER_ERRORS)],
    ),
    Counter::new(c"tls_renewals", &[Place::Connector(connector::RENEWALS)]),
];
