//! The connector's connections seen as one: up when all are up, down as soon as one is lost. Each
//! change is reported, logged and told to the script exactly once.

use crate::frame::nats::Event;
use crate::link::{Board, Inbound};
use crate::module::{State, connector};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// See the module.
#[derive(Debug)]
pub(super) struct Presence {
    board: Rc<Board>,
    connections: usize,
    up: Cell<usize>,
    /// A failure since the last change was logged already.
    told: Cell<bool>,
    ever_up: Cell<bool>,
    events: RefCell<Option<Inbound>>,
}

impl Presence {
    /// For so many connections; `events` is the inbox of the worker for connection events.
    pub(super) fn new(board: Rc<Board>, connections: usize, events: Option<Inbound>) -> Self {
        let presence = Self {
            board,
            connections,
            up: Cell::new(0),
            told: Cell::new(false),
            ever_up: Cell::new(false),
            events: RefCell::new(events),
        };
        presence.board.enter(State::Disconnected);
        presence.board.server("");
        if presence.board.announced() == State::Connected {
            // The engine before this one was killed: its connections are gone.
            presence.announce(State::Disconnected, "");
        }
        presence
    }

    /// One more connection is up, to `server`.
    pub(super) fn up(&self, server: &str) {
        self.up.set(self.up.get() + 1);
        if self.up.get() == self.connections {
            if self.ever_up.replace(true) {
                self.board.count(connector::RECONNECTS, 1);
            }
            self.told.set(false);
            self.board.server(server);
            self.board.enter(State::Connected);
            log::info!("nats: connected to {server}");
            self.announce(State::Connected, server);
        }
    }

    /// A connection to `server` was lost.
    pub(super) fn down(&self, server: &str, why: &str) {
        let was_whole = self.up.get() == self.connections;
        self.up.set(self.up.get().saturating_sub(1));
        self.board.error(why);
        if was_whole {
            self.told.set(true);
            self.board.server("");
            self.board.enter(State::Disconnected);
            log::warn!("nats: the connection to {server} is lost: {why}; connecting again");
            self.announce(State::Disconnected, server);
        } else {
            log::debug!("nats: another connection to {server} is lost: {why}");
        }
    }

    /// An attempt to connect was in vain.
    pub(super) fn failed(&self, server: &str, why: &str) {
        self.board.error(&format!("{server}: {why}"));
        if self.told.replace(true) {
            log::debug!("nats: cannot connect to {server}: {why}");
        } else {
            log::warn!("nats: cannot connect to {server}: {why}; trying again until it works");
        }
    }

    /// A connection to `server` was made again with other certificates, unnoticed by the script.
    pub(super) fn renewed(&self, server: &str) {
        self.board.count(connector::RENEWALS, 1);
        log::info!("nats: a connection to {server} is made again, with the new certificates");
    }

    /// That did not work: the connection stays as it is.
    pub(super) fn not_renewed(&self, server: &str, why: &str) {
        self.board.error(&format!("{server}: {why}"));
        log::error!(
            "nats: {server}: no connection with the new certificates: {why}; the old one stays"
        );
    }

    /// The server reported something that does not end the connection.
    pub(super) fn complained(&self, server: &str, why: &str) {
        self.board.count(connector::SERVER_ERRORS, 1);
        self.board.error(&format!("{server}: {why}"));
        log::error!("nats: {server} reports: {why}");
    }

    /// The engine is to end.
    pub(super) fn draining(&self) {
        self.board.enter(State::Draining);
    }

    /// What operators see.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    fn announce(&self, state: State, server: &str) {
        let server = server.as_bytes();
        let event = match state {
            State::Connected => Event::Connected(server),
            _ => Event::Disconnected(server),
        };
        if let Some(events) = self.events.borrow_mut().as_mut() {
            let header = event.header();
            let staged = header.is_ok_and(|h| events.try_stage(&[h.bytes(), server]));
            if !staged {
                log::error!("nats: the worker for connection events is stuck: an event is lost");
            }
            events.deliver();
        }
        self.board.announce(state);
    }
}
