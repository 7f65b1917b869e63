//! The evapi module's clients, seen from Kamailio's processes: who is there, and what operators ask.

use super::evapi::{NAME, with_outbox};
use super::evapi_done;
use super::guard::guard;
use super::instance;
use super::slice::reference;
use crate::evapi::{State, figure};
use crate::frame::evapi::{Connection, Order, To};
use crate::host::raw::sipbus_report;
use crate::host::report::Report;
use crate::shm::counter::Counter;
use crate::shm::layout::Row;
use std::ffi::{c_char, c_int};

/// True if a client is there who gets such a message. Without a lock, of what the engine said last.
pub(super) fn anyone(to: To<'_>) -> bool {
    let Some(instance) = instance::get() else {
        return false;
    };
    let Some(index) = instance.index(NAME) else {
        return false;
    };
    // Without an engine the rows are those of the last one.
    if instance.region.head().engine.pid.value() == 0
        || instance.region.module(index).peers.value() == 0
    {
        return false;
    }
    let (To::Tagged(tag) | To::First(tag)) = to else {
        return true;
    };
    let mut shared = Vec::new();
    let mut rows = instance.region.rows(index).enumerate();
    rows.any(|(conidx, row)| {
        if row.state.value() != State::Up as u64 {
            return false;
        }
        row.tag.read(&mut shared);
        shared == tag || evapi_done::tagged_here(conidx, row, tag)
    })
}

/// Calls `body` with the row of a client that is still there.
pub(super) fn with_row<T>(
    connection: &Connection,
    body: impl FnOnce(&'static Row) -> T,
) -> Option<T> {
    let instance = instance::get()?;
    let row = instance
        .region
        .row(instance.index(NAME)?, connection.index as usize)?;
    (row.generation.value() == connection.generation).then(|| body(row))
}

/// Writes the clients of `module`, which is evapi. 0, or -1 before sipbus_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_clients(
    module: *const c_char,
    report: *const sipbus_report,
) -> c_int {
    guard("sipbus_evapi_clients", -1, || {
        _ = module;
        let Some((report, instance)) = reference(report).zip(instance::get()) else {
            return -1;
        };
        let Some(index) = instance.index(NAME) else {
            return -1;
        };
        Report::new(report).list(c"clients", |report| {
            for (conidx, row) in instance.region.rows(index).enumerate() {
                let state = State::from_number(row.state.value());
                if let Some(state) = state.filter(|_| row.generation.value() != 0) {
                    report.structure(c"", |report| client(report, conidx, row, state));
                }
            }
        });
        0
    })
}

fn client(report: &Report<'_>, conidx: usize, row: &Row, state: State) {
    report.number(c"conidx", conidx as u64);
    report.text(c"address", &row.address.value());
    report.number(c"port", row.port.value());
    report.text(c"tag", &row.tag.value());
    report.text(c"state", state.name());
    report.number(c"since", row.since.value());
    for (name, slot) in [
        (c"frames_in", figure::FRAMES_IN),
        (c"bytes_in", figure::BYTES_IN),
        (c"frames_out", figure::FRAMES_OUT),
        (c"bytes_out", figure::BYTES_OUT),
        (c"buffered", figure::BUFFERED),
        (c"dropped", figure::DROPPED),
    ] {
        report.number(name, row.figures.get(slot).map_or(0, Counter::value));
    }
}

/// Closes the client with that index: 1, or -1 if there is none or the engine takes no orders.
/// Phase: any process, after sipbus_create. Blocks as evapi_close.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_evapi_client_close(process: u32, conidx: u32) -> c_int {
    guard("sipbus_evapi_client_close", -1, || {
        let row = instance::get().and_then(|instance| {
            let index = instance.index(NAME)?;
            instance.region.row(index, conidx as usize)
        });
        let generation = row.map_or(0, |row| row.generation.value());
        if generation == 0 {
            return -1;
        }
        let connection = Connection {
            index: conidx,
            port: 0,
            generation,
        };
        with_outbox(process, |outbox| {
            let closed = Order::Close(connection).write(|parts| outbox.order(parts));
            if matches!(closed, Ok(Ok(()))) { 1 } else { -1 }
        })
    })
}
