//! The line of a suspended transaction in the roster, where the next engine finds it if this one dies.

use crate::frame::kazoo::{Query, Suspended};
use crate::kazoo::table;
use crate::link::{Entry, Roster};

/// Enters a query.
pub(super) fn write(roster: &Roster, row: usize, query: &Query<'_>, suspended: &Suspended) {
    let entry = Entry {
        generation: 1,
        state: table::FREE,
        address: String::new(),
        port: 0,
        tag: query.msg_id.to_vec(),
    };
    roster.enter(row, &entry);
    let figure = |slot, value| roster.figure(row, slot, value);
    figure(table::TINDEX, u64::from(suspended.tindex));
    figure(table::TLABEL, u64::from(suspended.tlabel));
    figure(table::OK_ROUTE, u64::from(suspended.ok));
    figure(table::ERR_ROUTE, u64::from(suspended.err));
    figure(table::DEADLINE, query.deadline_ms);
    // Complete only now, should the engine die meanwhile.
    roster.state(row, table::WAITING);
}

/// Who waits there, and until when.
pub(super) fn read(roster: &Roster, row: usize) -> (Suspended, u64) {
    let figure = |slot| roster.figure_value(row, slot);
    let number = |slot| u32::try_from(figure(slot)).unwrap_or(0);
    let suspended = Suspended {
        tindex: number(table::TINDEX),
        tlabel: number(table::TLABEL),
        ok: number(table::OK_ROUTE),
        err: number(table::ERR_ROUTE),
    };
    (suspended, figure(table::DEADLINE))
}
