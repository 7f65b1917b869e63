//! What others see of the connections: a line of the roster each, the state of the whole, and the script's events.

use super::{ALL, Peer, Presence, Role};
use crate::frame::kazoo::Event;
use crate::kazoo::table::{BLOCKED, CLOSED, OPEN, RECONNECTS, ROLE, ROLES, SERVER};
use crate::link::Entry;
use crate::module::State;

impl Presence {
    /// Connections of an engine that died are gone, and the script is still to be told.
    pub(super) fn bury_the_dead(&self) {
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

    pub(super) fn row(&self, server: usize, role: Role) -> usize {
        self.first_row + server * ROLES.len() + role as usize
    }

    /// Fills the connection's line in the roster.
    pub(super) fn enter(&self, server: usize, role: Role) {
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
    pub(super) fn is_whole(&self, server: usize, role: Role) -> bool {
        let roles = match role {
            Role::Publish => ALL.iter().take(1),
            _ => ALL.iter().take(3),
        };
        let roles = roles.skip(usize::from(role != Role::Publish));
        roles
            .filter_map(|role| self.connection(server, *role))
            .all(|connection| !connection.wanted || connection.state.get() != CLOSED)
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
    pub(in crate::connector::amqp) fn takes_queries(&self, server: usize) -> bool {
        self.peers.get(server).is_some_and(Self::is_ready)
    }

    /// What everybody sees of the whole.
    pub(super) fn show(&self) {
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

    pub(super) fn announce(&self, peer: &Peer, open: bool) {
        let event = Event::Connection {
            open,
            host: peer.host.as_bytes(),
            zone: peer.zone.as_bytes(),
        };
        // It fits: names are short.
        _ = self.inboxes.tell(&event);
    }
}
