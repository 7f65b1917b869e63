//! The connections, as operators and scripts see them. Each change is logged, shown and told to the
//! script exactly once.
//!
//! A server has up to three: one to publish, one for answers, one for subscriptions. To the script
//! the latter two are one, which is open when both are.

use super::inboxes::Inboxes;
use crate::frame::kazoo::Event;
use crate::kazoo::settings::Settings;
use crate::kazoo::table::{BLOCKED, CLOSED, OPEN, RECONNECTS, ROLE, ROLES, SERVER, Table};
use crate::link::{Board, Entry, Roster};
use crate::module::{State, connector};
use std::cell::Cell;
use std::rc::Rc;

/// What a connection is for: its place in [`ROLES`].
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

    /// Connections of an engine that died are gone, and the script is still to be told.
    fn bury_the_dead(&self) {
        for (server, peer) in self.peers.iter().enumerate() {
            let was_open = |role: Role| {
                let state = self.roster.entry(self.row(server, role)).map(|e| e.state);
                matches!(state, Some(OPEN | BLOCKED))
            };
            let wanted = |role: &Role| self.connection(server, *role).is_some_and(|c| c.wanted);
            let consumers = || ALL.iter().skip(1).copied().filter(wanted);
            let producer_was = was_open(Role::Publish);
            let consumer_was = consumers().count() > 0 && consumers().all(was_open);
            for role in ALL.iter().copied().filter(wanted) {
                self.enter(server, role);
            }
            for _ in 0..u8::from(producer_was) + u8::from(consumer_was) {
                self.announce(peer, false);
            }
        }
    }

    fn row(&self, server: usize, role: Role) -> usize {
        self.first_row + server * ROLES.len() + role as usize
    }

    fn connection(&self, server: usize, role: Role) -> Option<&Connection> {
        self.peers.get(server)?.connections.get(role as usize)
    }

    /// Fills the connection's line in the roster.
    fn enter(&self, server: usize, role: Role) {
        let (Some(peer), Some(connection)) =
            (self.peers.get(server), self.connection(server, role))
        else {
            return;
        };
        let row = self.row(server, role);
        let entry = Entry {
            generation: 1,
            state: connection.state.get(),
            address: peer.name.clone(),
            port: 0,
            tag: peer.zone.clone().into_bytes(),
        };
        self.roster.enter(row, &entry);
        self.roster.figure(row, SERVER, server as u64 + 1);
        self.roster.figure(row, ROLE, role as u64);
        let reconnects = connection.reconnects.get();
        self.roster.figure(row, RECONNECTS, reconnects);
    }

    /// True if what the script sees as one with `role` is open.
    fn is_whole(&self, server: usize, role: Role) -> bool {
        let roles = match role {
            Role::Publish => ALL.iter().take(1),
            _ => ALL.iter().take(3),
        };
        let roles = roles.skip(usize::from(role != Role::Publish));
        roles
            .filter_map(|role| self.connection(server, *role))
            .all(|connection| !connection.wanted || connection.state.get() != CLOSED)
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

    /// True if a query can go to a server: it takes messages, and its answers would come.
    fn is_ready(peer: &Peer) -> bool {
        let open = |role: Role| {
            let connection = peer.connections.get(role as usize);
            connection.is_some_and(|connection| connection.state.get() == OPEN)
        };
        peer.primary && open(Role::Publish) && open(Role::Answers)
    }

    /// As [`is_ready`](Self::is_ready), by its place.
    pub(super) fn takes_queries(&self, server: usize) -> bool {
        self.peers.get(server).is_some_and(Self::is_ready)
    }

    /// What everybody sees of the whole.
    fn show(&self) {
        let ready = || self.peers.iter().filter(|peer| Self::is_ready(peer));
        self.roster.peers(ready().count());
        let state = if self.draining.get() {
            State::Draining
        } else if ready().next().is_some() {
            State::Connected
        } else {
            State::Disconnected
        };
        if self.board.state() != state {
            self.board.enter(state);
        }
        self.board
            .server(ready().next().map_or("", |peer| &peer.name));
    }

    fn announce(&self, peer: &Peer, open: bool) {
        let event = Event::Connection {
            open,
            host: peer.host.as_bytes(),
            zone: peer.zone.as_bytes(),
        };
        // It fits: names are short.
        _ = self.inboxes.tell(&event);
    }
}

fn shown(role: Role) -> &'static str {
    match role {
        Role::Publish => "publishing",
        Role::Answers => "answers",
        Role::Subscriptions => "subscriptions",
    }
}
