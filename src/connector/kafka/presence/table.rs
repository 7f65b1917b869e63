//! The module's table: a line for each target, each socket that events go to, and each consumer.

use super::Presence;
use crate::connector::kafka::ledger::Tally;
use crate::connector::kafka::notice::Figures;
use crate::kafka::counter::figure;
use crate::kafka::settings::Settings;
use crate::link::Entry;
use crate::module::State;
use crate::primitive::Ordering;
use std::sync::Arc;

impl Presence {
    /// Fills the lines of targets and consumers. What those count that count messages to publish.
    pub(super) fn fill(&self, settings: &Settings) -> Arc<[Tally]> {
        let first = settings.targets.len() + settings.sockets_max;
        // Consumers count for themselves.
        let tallies = (0..first).map(|row| self.restore(row)).collect();
        for (row, target) in settings.targets.iter().enumerate() {
            self.enter(row, &target.id);
        }
        for (index, consumer) in settings.consumers.iter().enumerate() {
            self.enter(first + index, &consumer.group);
        }
        tallies
    }

    /// The line of `free` for this tag: the one it has had under the engine before, or one that nobody has had, or one of
    /// a socket that only that engine knew.
    pub(in crate::connector::kafka) fn line(&self, free: &[usize], tag: &str) -> Option<usize> {
        let its_own = |row: &&usize| self.roster.is_tagged(**row, tag.as_bytes());
        let nobodys = |row: &&usize| self.roster.entry(**row).is_none();
        let found = free.iter().find(its_own);
        found
            .or_else(|| free.iter().find(nobodys))
            .or(free.first())
            .copied()
    }

    /// Fills a line of the table, whose figures stay if they are of this tag. Whether they do.
    pub(in crate::connector::kafka) fn enter(&self, row: usize, tag: &str) -> bool {
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
    pub(in crate::connector::kafka) fn show(&self, tallies: &[Tally]) {
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

    /// Shows the library's own figures in the lines of a connection.
    pub(super) fn figures(&self, index: usize, figures: Figures) {
        let connections = self.connections.borrow();
        for row in connections.get(index).map_or(&[][..], |c| &c.rows) {
            self.roster.figure(*row, figure::QUEUED, figures.queued);
            self.roster
                .figure(*row, figure::IN_FLIGHT, figures.in_flight);
            self.roster
                .figure(*row, figure::ROUND_TRIP_US, figures.round_trip_us);
        }
    }

    /// A figure of a line of the table, as it is shown.
    pub(in crate::connector::kafka) fn shown(&self, row: usize, slot: usize) -> u64 {
        self.roster.figure_value(row, slot)
    }

    /// Replaces a figure of a line of the table.
    pub(in crate::connector::kafka) fn figure(&self, row: usize, slot: usize, value: u64) {
        self.roster.figure(row, slot, value);
    }
}
