//! The connector's connections seen as one: up when all are up, down as soon as one is lost. Each change
//! is reported and logged exactly once. And the table that says more about each.

use super::ledger::Tally;
use super::notice::{Figures, Noticed, What};
use super::tls;
use crate::kafka::counter::figure;
use crate::kafka::property::Property;
use crate::kafka::settings::Settings;
use crate::link::{Board, Entry, Roster};
use crate::module::{State, connector};
use crate::primitive::Ordering;
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
    draining: Cell<bool>,
}

impl Presence {
    /// Nothing is connected yet. The table's lines are filled; what they counted under an engine that
    /// died is kept, and returned for those that count messages to publish.
    pub(super) fn new(
        settings: &Settings,
        board: Rc<Board>,
        roster: Roster,
    ) -> (Self, Arc<[Tally]>) {
        board.enter(State::Disconnected);
        board.server("");
        let presence = Self {
            module: settings.module.clone(),
            board,
            roster,
            connections: RefCell::new(Vec::new()),
            ever_up: Cell::new(false),
            draining: Cell::new(false),
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
        // Consumers count for themselves.
        let tallies = (0..first).map(|row| presence.restore(row)).collect();
        for (row, target) in settings.targets.iter().enumerate() {
            presence.enter(row, &target.id);
        }
        for (index, consumer) in settings.consumers.iter().enumerate() {
            presence.enter(first + index, &consumer.group);
        }
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

    /// The line of `free` for this tag: the one it has had under the engine before, or one that nobody has had, or one of
    /// a socket that only that engine knew.
    pub(super) fn line(&self, free: &[usize], tag: &str) -> Option<usize> {
        let its_own = |row: &&usize| self.roster.is_tagged(**row, tag.as_bytes());
        let nobodys = |row: &&usize| self.roster.entry(**row).is_none();
        let found = free.iter().find(its_own);
        found
            .or_else(|| free.iter().find(nobodys))
            .or(free.first())
            .copied()
    }

    /// Fills a line of the table, whose figures stay if they are of this tag. Whether they do.
    pub(super) fn enter(&self, row: usize, tag: &str) -> bool {
        let stays = self.roster.is_tagged(row, tag.as_bytes());
        let slots = [figure::TAKEN, figure::DELIVERED, figure::FAILED];
        let before = slots.map(|slot| self.roster.figure_value(row, slot));
        let entry = Entry {
            generation: row as u64 + 1,
            state: State::Disconnected as u64,
            address: String::new(),
            port: 0,
            tag: tag.as_bytes().to_vec(),
        };
        self.roster.enter(row, &entry);
        for (slot, value) in slots.into_iter().zip(before) {
            self.roster.figure(row, slot, if stays { value } else { 0 });
        }
        stays
    }

    fn restore(&self, row: usize) -> Tally {
        let tally = Tally::default();
        let delivered = self.roster.figure_value(row, figure::DELIVERED);
        let failed = self.roster.figure_value(row, figure::FAILED);
        tally.delivered.store(delivered, Ordering::Relaxed);
        tally.failed.store(failed, Ordering::Relaxed);
        // What was on its way under the engine before is taken again.
        tally.taken.store(delivered + failed, Ordering::Relaxed);
        tally
    }

    /// Shows what was counted.
    pub(super) fn show(&self, tallies: &[Tally]) {
        for (row, tally) in tallies.iter().enumerate() {
            let taken = tally.taken.load(Ordering::Relaxed);
            if taken == 0 {
                continue;
            }
            self.roster.figure(row, figure::TAKEN, taken);
            let delivered = tally.delivered.load(Ordering::Relaxed);
            self.roster.figure(row, figure::DELIVERED, delivered);
            let failed = tally.failed.load(Ordering::Relaxed);
            self.roster.figure(row, figure::FAILED, failed);
            if let Some(error) = tally.new_error() {
                self.roster.address(row, &error);
                self.board.error(&error);
            }
        }
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
        if connections.iter().all(|connection| connection.up) && !self.draining.get() {
            if self.ever_up.replace(true) {
                self.board.count(connector::RECONNECTS, 1);
            }
            let brokers = connections.first().map_or("", |c| c.brokers.as_str());
            self.board.server(brokers);
            self.board.enter(State::Connected);
        }
    }

    fn down(&self, index: usize, why: &str) {
        let mut connections = self.connections.borrow_mut();
        let was_whole = connections.iter().all(|connection| connection.up);
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
        if was_whole && !self.draining.get() {
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

    fn figures(&self, index: usize, figures: Figures) {
        let connections = self.connections.borrow();
        for row in connections.get(index).map_or(&[][..], |c| &c.rows) {
            self.roster.figure(*row, figure::QUEUED, figures.queued);
            self.roster
                .figure(*row, figure::IN_FLIGHT, figures.in_flight);
            self.roster
                .figure(*row, figure::ROUND_TRIP_US, figures.round_trip_us);
        }
    }

    /// The engine is to end.
    pub(super) fn draining(&self) {
        self.draining.set(true);
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

    /// A figure of a line of the table, as it is shown.
    pub(super) fn shown(&self, row: usize, slot: usize) -> u64 {
        self.roster.figure_value(row, slot)
    }

    /// Replaces a figure of a line of the table.
    pub(super) fn figure(&self, row: usize, slot: usize, value: u64) {
        self.roster.figure(row, slot, value);
    }
}
