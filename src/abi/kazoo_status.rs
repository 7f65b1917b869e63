//! What operators ask about the kazoo module: its connections and its subscriptions.

use super::guard::guard;
use super::instance::{self, Instance};
use super::kazoo::{Known, NAME, known};
use super::slice::reference;
use crate::host::raw::sipbus_report;
use crate::host::report::Report;
use crate::kazoo::table::{self, ROLES, Table};
use crate::shm::counter::Counter;
use crate::shm::layout::Row;
use std::ffi::{c_char, c_int};

/// Writes the connections of `module`, which is kazoo. 0, or -1 before sipbus_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_connections(
    module: *const c_char,
    report: *const sipbus_report,
) -> c_int {
    guard("sipbus_kazoo_connections", -1, || {
        _ = module;
        let (Some(report), Some(rows)) = (reference(report), Rows::get()) else {
            return -1;
        };
        Report::new(report).list(c"connections", |report| {
            for row in rows.between(rows.table.connections, rows.table.subscriptions) {
                report.structure(c"", |report| rows.connection(report, row));
            }
        });
        0
    })
}

/// Writes the subscriptions of `module`, which is kazoo. 0, or -1 before sipbus_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_subscriptions(
    module: *const c_char,
    report: *const sipbus_report,
) -> c_int {
    guard("sipbus_kazoo_subscriptions", -1, || {
        _ = module;
        let (Some(report), Some(rows)) = (reference(report), Rows::get()) else {
            return -1;
        };
        Report::new(report).list(c"subscriptions", |report| {
            let (first, known) = (rows.table.subscriptions, rows.known);
            let most = known.settings.servers.len() * known.subscriptions().len();
            for row in rows.between(first, first + most) {
                report.structure(c"", |report| rows.subscription(report, row));
            }
        });
        0
    })
}

/// The module's part of the region.
struct Rows {
    known: &'static Known,
    table: Table,
    instance: &'static Instance,
    module: usize,
}

impl Rows {
    fn get() -> Option<Self> {
        let known = known()?;
        let instance = instance::get()?;
        Some(Self {
            known,
            table: Table::of(&known.settings),
            instance,
            module: instance.index(NAME)?,
        })
    }

    /// The lines in use. Without an engine they are those of the last one.
    fn between(&self, first: usize, end: usize) -> impl Iterator<Item = &'static Row> {
        let rows = (first..end).filter_map(|line| self.instance.region.row(self.module, line));
        rows.filter(|row| row.state.value() != table::FREE)
    }

    fn connection(&self, report: &Report<'_>, row: &'static Row) {
        self.server(report, row);
        let role = ROLES.get(figure(row, table::ROLE)).copied();
        report.text(c"role", role.unwrap_or_default());
        self.state(report, row);
        report.number(c"reconnects", figure(row, table::RECONNECTS) as u64);
    }

    fn subscription(&self, report: &Report<'_>, row: &'static Row) {
        let index = figure(row, table::SUBSCRIPTION);
        if let Some(subscription) = self.known.subscriptions().get(index) {
            report.text(c"exchange", &subscription.exchange.name);
            report.text(c"routing", &subscription.routing.join(" "));
            report.number(c"no_ack", subscription.no_ack.into());
        }
        report.text(c"queue", &row.address.value());
        report.number(c"server", figure(row, table::SERVER) as u64);
        self.state(report, row);
        for (name, slot) in [
            (c"received", table::RECEIVED),
            (c"acked", table::ACKED),
            (c"redelivered", table::REDELIVERED),
        ] {
            report.number(name, figure(row, slot) as u64);
        }
    }

    fn server(&self, report: &Report<'_>, row: &'static Row) {
        let number = figure(row, table::SERVER);
        report.number(c"server", number as u64);
        let server = number
            .checked_sub(1)
            .and_then(|index| self.known.settings.servers.get(index));
        if let Some(server) = server {
            report.text(c"address", &server.to_string());
            report.text(c"zone", &server.zone);
        }
    }

    fn state(&self, report: &Report<'_>, row: &'static Row) {
        let running = self.instance.region.head().engine.pid.value() != 0;
        let state = match row.state.value() {
            _ if !running => "no engine",
            table::OPEN => "open",
            table::BLOCKED => "blocked",
            _ => "closed",
        };
        report.text(c"state", state);
        report.number(c"since", row.since.value());
    }
}

fn figure(row: &'static Row, slot: usize) -> usize {
    let value = row.figures.get(slot).map_or(0, Counter::value);
    usize::try_from(value).unwrap_or(usize::MAX)
}
