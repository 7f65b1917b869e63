//! The connections, as operators and scripts see them. Each change is logged, shown and told to the
//! script exactly once.
//!
//! A server has up to three: one to publish, one for answers, one for subscriptions. To the script
//! the latter two are one, which is open when both are.

mod show;

use super::inboxes::Inboxes;
use crate::kazoo::settings::Settings;
use crate::kazoo::table::{BLOCKED, CLOSED, OPEN, Table};
use crate::link::{Board, Roster};
use crate::module::connector;
use std::cell::Cell;
use std::rc::Rc;

/// What a connection is for: its place in [`ROLES`](crate::kazoo::table::ROLES).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Publish = 0,
    Answers = 1,
    Subscriptions = 2,
}

const ALL: [Role; 3] = [Role::Publish, Role::Answers, Role::Subscriptions];

#[derive(Debug)]
struct Connection {
    /// There is to be one.
    wanted: bool,
    state: Cell<u64>,
    /// A failure since the last change was logged already.
    told: Cell<bool>,
    ever_up: Cell<bool>,
    reconnects: Cell<u64>,
}

#[derive(Debug)]
struct Peer {
    /// For people.
    name: String,
    host: String,
    zone: String,
    primary: bool,
    connections: [Connection; 3],
}

/// See the module.
#[derive(Debug)]
pub(super) struct Presence {
    board: Rc<Board>,
    roster: Rc<Roster>,
    inboxes: Rc<Inboxes>,
    first_row: usize,
    peers: Vec<Peer>,
    draining: Cell<bool>,
}

/// Whether `settings` ask for a connection.
pub(super) fn is_wanted(settings: &Settings, server: usize, role: Role) -> bool {
    let zone = settings.servers.get(server).map(|server| &server.zone);
    let primary = zone == Some(&settings.primary_zone);
    match role {
        Role::Publish => true,
        Role::Answers => primary,
        Role::Subscriptions => {
            let mut all = settings.subscriptions.iter();
            all.any(|subscription| primary || subscription.federate)
        }
    }
}

impl Presence {
    /// For the servers of `settings`, of which nobody is connected yet.
    pub(super) fn new(
        settings: &Settings,
        board: Rc<Board>,
        roster: Rc<Roster>,
        inboxes: Rc<Inboxes>,
    ) -> Self {
        let peers = settings.servers.iter().enumerate().map(|(index, server)| {
            let connection = |role| Connection {
                wanted: is_wanted(settings, index, role),
                state: Cell::new(CLOSED),
                told: Cell::new(false),
                ever_up: Cell::new(false),
                reconnects: Cell::new(0),
            };
            Peer {
                name: server.to_string(),
                host: server.host.clone(),
                zone: server.zone.clone(),
                primary: server.zone == settings.primary_zone,
                connections: ALL.map(connection),
            }
        });
        let presence = Self {
            board,
            roster,
            inboxes,
            first_row: Table::of(settings).connections,
            peers: peers.collect(),
            draining: Cell::new(false),
        };
        presence.bury_the_dead();
        presence.show();
        presence
    }

    fn connection(&self, server: usize, role: Role) -> Option<&Connection> {
        self.peers.get(server)?.connections.get(role as usize)
    }

    /// True if a connection is there.
    pub(super) fn is_up(&self, server: usize, role: Role) -> bool {
        let connection = self.connection(server, role);
        connection.is_some_and(|connection| connection.state.get() != CLOSED)
    }

    /// A connection is there and ready.
    pub(super) fn up(&self, server: usize, role: Role) {
        let (Some(peer), Some(connection)) =
            (self.peers.get(server), self.connection(server, role))
        else {
            return;
        };
        connection.state.set(OPEN);
        connection.told.set(false);
        if connection.ever_up.replace(true) {
            connection.reconnects.set(connection.reconnects.get() + 1);
            self.board.count(connector::RECONNECTS, 1);
        }
        self.enter(server, role);
        log::info!("kazoo: connected to {} for {}", peer.name, shown(role));
        self.show();
        if self.is_whole(server, role) {
            self.announce(peer, true);
        }
    }

    /// A connection was lost.
    pub(super) fn down(&self, server: usize, role: Role, why: &str) {
        let (Some(peer), Some(connection)) =
            (self.peers.get(server), self.connection(server, role))
        else {
            return;
        };
        if connection.state.get() == CLOSED {
            self.failed(server, role, why);
            return;
        }
        let was_whole = self.is_whole(server, role);
        connection.state.set(CLOSED);
        connection.told.set(true);
        self.enter(server, role);
        self.board.error(&format!("{}: {why}", peer.name));
        let (name, role) = (&peer.name, shown(role));
        log::warn!("kazoo: the connection to {name} for {role} is lost: {why}; connecting again");
        self.show();
        if was_whole {
            self.announce(peer, false);
        }
    }

    /// An attempt to connect was in vain.
    pub(super) fn failed(&self, server: usize, role: Role, why: &str) {
        let (Some(peer), Some(connection)) =
            (self.peers.get(server), self.connection(server, role))
        else {
            return;
        };
        let (name, role) = (&peer.name, shown(role));
        self.board.error(&format!("{name}: {why}"));
        if connection.told.replace(true) {
            log::debug!("kazoo: cannot connect to {name} for {role}: {why}");
        } else {
            log::warn!(
                "kazoo: cannot connect to {name} for {role}: {why}; trying again until it works"
            );
        }
    }

    /// A connection was made again with other certificates, unnoticed by the script.
    pub(super) fn renewed(&self, server: usize, role: Role) {
        let name = self.peers.get(server).map_or("", |peer| &peer.name);
        self.board.count(connector::RENEWALS, 1);
        let role = shown(role);
        log::info!(
            "kazoo: the connection to {name} for {role} is made again, with the new certificates"
        );
    }

    /// That did not work: the connection stays as it is.
    pub(super) fn not_renewed(&self, server: usize, role: Role, why: &str) {
        let name = self.peers.get(server).map_or("", |peer| &peer.name);
        self.board.error(&format!("{name}: {why}"));
        let role = shown(role);
        log::error!(
            "kazoo: {name}: no connection for {role} with the new certificates: {why}; the old one stays"
        );
    }

    /// A server takes no messages for now, or takes them again.
    pub(super) fn blocked(&self, server: usize, why: Option<&str>) {
        let (Some(peer), Some(connection)) = (
            self.peers.get(server),
            self.connection(server, Role::Publish),
        ) else {
            return;
        };
        let state = if why.is_some() { BLOCKED } else { OPEN };
        if connection.state.replace(state) == state {
            return;
        }
        self.roster.state(self.row(server, Role::Publish), state);
        match why {
            Some(why) => log::warn!("kazoo: {} takes no messages for now: {why}", peer.name),
            None => log::info!("kazoo: {} takes messages again", peer.name),
        }
        self.show();
    }

    /// A server reported something that does not end the connection.
    pub(super) fn complained(&self, server: usize, why: &str) {
        let name = self.peers.get(server).map_or("", |peer| &peer.name);
        self.board.count(connector::SERVER_ERRORS, 1);
        self.board.error(&format!("{name}: {why}"));
        log::error!("kazoo: {name}: {why}");
    }

    /// The engine is to end.
    pub(super) fn draining(&self) {
        self.draining.set(true);
        self.show();
    }

    /// Adds to a counter of the connector.
    pub(super) fn count(&self, slot: usize, n: u64) {
        self.board.count(slot, n);
    }
}

fn shown(role: Role) -> &'static str {
    match role {
        Role::Publish => "publishing",
        Role::Answers => "answers",
        Role::Subscriptions => "subscriptions",
    }
}
