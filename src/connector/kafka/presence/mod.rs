//! The connector's connections seen as one: up when all are up, down as soon as one is lost, or cannot be made. Each change
//! is reported and logged exactly once. And the table that says more about each.

mod table;

use super::ledger::Tally;
use super::notice::{Noticed, What};
use super::tls;
use crate::kafka::property::Property;
use crate::kafka::settings::Settings;
use crate::link::{Board, Roster};
use crate::module::{State, connector};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// One connection, to one cluster.
#[derive(Debug)]
struct Connection {
    brokers: String,
    properties: Vec<Property>,
    /// What was wrong with TLS last.
    insecure: Option<String>,
    /// What was wrong last since it was up, which a loss of all brokers does not say again.
    trouble: Option<String>,
    up: bool,
    /// A failure since it was up last was logged.
    told: bool,
    /// Its lines in the table.
    rows: Vec<usize>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Presence {
    module: String,
    board: Rc<Board>,
    roster: Roster,
    connections: RefCell<Vec<Connection>>,
    ever_up: Cell<bool>,
}

impl Presence {
    /// Nothing is connected yet. The table's lines are filled; what they counted under an engine that
    /// died is kept, and returned for those that count messages to publish.
    pub(super) fn new(
        settings: &Settings,
        board: Rc<Board>,
        roster: Roster,
    ) -> (Self, Arc<[Tally]>) {
        // Where events are all there is to send, no broker is missing before there is one.
        let alone = settings.producers.is_empty() && settings.consumers.is_empty();
        let state = if alone {
            State::Connected
        } else {
            State::Disconnected
        };
        board.enter(state);
        board.server("");
        let presence = Self {
            module: settings.module.clone(),
            board,
            roster,
            connections: RefCell::new(Vec::new()),
            ever_up: Cell::new(alone),
        };
        for (index, producer) in settings.producers.iter().enumerate() {
            let own = settings.targets.iter().enumerate();
            let own = own.filter(|(_, target)| target.producer == index);
            presence.add(
                &producer.brokers,
                &producer.properties,
                own.map(|(row, _)| row).collect(),
            );
        }
        let first = settings.targets.len() + settings.sockets_max;
        for (index, consumer) in settings.consumers.iter().enumerate() {
            presence.add(&consumer.brokers, &consumer.properties, vec![first + index]);
        }
        let tallies = presence.fill(settings);
        (presence, tallies)
    }

    /// Adds a connection; returns its number.
    pub(super) fn add(&self, brokers: &str, properties: &[Property], rows: Vec<usize>) -> usize {
        let mut connections = self.connections.borrow_mut();
        connections.push(Connection {
            brokers: brokers.to_owned(),
            properties: properties.to_vec(),
            insecure: None,
            trouble: None,
            up: false,
            told: false,
            rows,
        });
        connections.len() - 1
    }

    /// The number of the connection that is added next.
    pub(super) fn next(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Handles notices for ever.
    pub(super) async fn listen(self: Rc<Self>, noticed: Noticed) {
        loop {
            for notice in noticed.receiver.try_iter() {
                match notice.what {
                    What::Up => self.up(notice.connection),
                    What::Down(why) => {
                        let why = self.explain(notice.connection, why).await;
                        self.down(notice.connection, &why);
                    }
                    What::Trouble(why) => {
                        let why = self.explain(notice.connection, why).await;
                        self.trouble(notice.connection, &why);
                    }
                    What::Figures(figures) => self.figures(notice.connection, figures),
                }
            }
            noticed.rung.notified().await;
        }
    }

    /// The library's complaint, and before it what is wrong with TLS, which the library does not say.
    async fn explain(&self, index: usize, why: String) -> String {
        let properties = match self.connections.borrow().get(index) {
            Some(connection) if !connection.up => connection.properties.clone(),
            _ => return why,
        };
        let reason = tls::reason(&why, &properties).await;
        let mut connections = self.connections.borrow_mut();
        let insecure = connections.get_mut(index).map(|c| &mut c.insecure);
        let Some(insecure) = insecure else {
            return why;
        };
        if reason.is_some() {
            *insecure = reason;
        }
        match insecure {
            Some(reason) => format!("{reason} ({why})"),
            None => why,
        }
    }

    /// Clients with new certificates go on.
    pub(super) fn renewed(&self) {
        self.board.count(connector::RENEWALS, 1);
        log::info!(
            "{}: the connection is made again, with the new certificates",
            self.module
        );
    }

    /// That did not work: the old ones go on.
    pub(super) fn not_renewed(&self, why: &str) {
        self.board.error(why);
        log::error!(
            "{}: no clients with the new certificates: {why}; the old ones stay",
            self.module
        );
    }

    fn up(&self, index: usize) {
        let mut connections = self.connections.borrow_mut();
        let Some(connection) = connections.get_mut(index).filter(|c| !c.up) else {
            return;
        };
        (connection.up, connection.told) = (true, false);
        (connection.insecure, connection.trouble) = (None, None);
        for row in &connection.rows {
            self.roster.state(*row, State::Connected as u64);
        }
        log::info!("{}: connected to {}", self.module, connection.brokers);
        let state = self.board.state();
        if state == State::Draining || !connections.iter().all(|connection| connection.up) {
            return;
        }
        let brokers = connections.first().map_or("", |c| c.brokers.as_str());
        self.board.server(brokers);
        if state == State::Disconnected {
            if self.ever_up.replace(true) {
                self.board.count(connector::RECONNECTS, 1);
            }
            self.board.enter(State::Connected);
        }
    }

    fn down(&self, index: usize, why: &str) {
        let mut connections = self.connections.borrow_mut();
        let Some(connection) = connections.get_mut(index) else {
            return;
        };
        let why = match &connection.trouble {
            Some(trouble) if connection.insecure.is_none() => &format!("{trouble} ({why})"),
            _ => why,
        };
        self.board.error(why);
        for row in &connection.rows {
            self.roster.state(*row, State::Disconnected as u64);
            self.roster.address(*row, why);
        }
        let (module, brokers) = (&self.module, &connection.brokers);
        if connection.up {
            log::warn!("{module}: the connection to {brokers} is lost: {why}; connecting again");
        } else if !connection.told {
            log::warn!("{module}: cannot connect to {brokers}: {why}; trying until it works");
        }
        (connection.up, connection.told) = (false, true);
        if self.board.state() == State::Connected {
            self.board.server("");
            self.board.enter(State::Disconnected);
        }
    }

    fn trouble(&self, index: usize, why: &str) {
        let mut connections = self.connections.borrow_mut();
        let Some(connection) = connections.get_mut(index) else {
            return;
        };
        self.board.error(why);
        for row in &connection.rows {
            self.roster.address(*row, why);
        }
        connection.trouble = Some(why.to_owned());
        let (module, brokers) = (&self.module, &connection.brokers);
        if connection.up || connection.told {
            log::debug!("{module}: {brokers}: {why}");
        } else {
            connection.told = true;
            log::warn!("{module}: cannot connect to {brokers}: {why}; trying until it works");
        }
    }

    /// The cluster reported something that does not end the connection.
    pub(super) fn complained(&self, why: &str) {
        self.board.count(connector::SERVER_ERRORS, 1);
        self.board.error(why);
        log::error!("{}: {why}", self.module);
    }

    /// The engine is to end.
    pub(super) fn draining(&self) {
        self.board.enter(State::Draining);
    }

    /// What operators see.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// The module's name.
    pub(super) fn module(&self) -> &str {
        &self.module
    }
}
