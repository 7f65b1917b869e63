//! The lines of the module's table in the region: queries of suspended transactions, connections,
//! subscriptions, in this order.

use super::settings::Settings;

/// The most subscriptions; frames name them by a small number. Each may be made at every server, and has
/// a line for each of them.
pub const SUBSCRIPTIONS_MAX: usize = 1024;

/// A line's state: nothing is in it.
pub const FREE: u64 = 0;
/// Of a query: its answer is awaited.
pub const WAITING: u64 = 1;
/// Of a connection or a subscription: it is not there; it is tried again and again.
pub const CLOSED: u64 = 1;
/// Of a connection or a subscription: it is there.
pub const OPEN: u64 = 2;
/// Of a connection for publishing: the server takes nothing at the moment.
pub const BLOCKED: u64 = 3;

/// Figures of a query: its transaction, the routes to resume it with, its deadline.
pub const TINDEX: usize = 0;
/// See [`TINDEX`].
pub const TLABEL: usize = 1;
/// See [`TINDEX`].
pub const OK_ROUTE: usize = 2;
/// See [`TINDEX`].
pub const ERR_ROUTE: usize = 3;
/// See [`TINDEX`].
pub const DEADLINE: usize = 4;

/// Figure of a connection or a subscription: the number of its server, from 1. The line's address is
/// the server's, its tag the zone.
pub const SERVER: usize = 0;
/// Figure of a connection: what it is for, a place in [`ROLES`].
pub const ROLE: usize = 1;
/// Figure of a connection: how often it was made again.
pub const RECONNECTS: usize = 2;

/// What connections are for.
pub const ROLES: [&str; 3] = ["publish", "answers", "subscriptions"];

/// Figure of a subscription: its place among the subscriptions, from 0. The line's address is the
/// queue's name as the server knows it.
pub const SUBSCRIPTION: usize = 1;
/// Figures of a subscription: messages received, acknowledged, received once more.
pub const RECEIVED: usize = 2;
/// See [`RECEIVED`].
pub const ACKED: usize = 3;
/// See [`RECEIVED`].
pub const REDELIVERED: usize = 4;

/// The first line of each part, and how many there are in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Connections begin here: three a server, in the order of [`ROLES`].
    pub connections: usize,
    /// Subscriptions begin here.
    pub subscriptions: usize,
    /// All lines.
    pub rows: usize,
}

impl Table {
    /// The table for these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let connections = settings.async_queries_max;
        let servers = settings.servers.len();
        let subscriptions = connections + servers * ROLES.len();
        Self {
            connections,
            subscriptions,
            // Their pages are touched only as they are used.
            rows: subscriptions + servers * SUBSCRIPTIONS_MAX,
        }
    }
}
