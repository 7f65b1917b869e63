//! Queries of the kazoo module: messages that want an answer, waited for by a process or by a
//! transaction.

use super::guard::guard;
use super::instance;
use super::kazoo::{NAME, known, outgoing, with_outbox};
use super::kazoo_json;
use super::slice::{Slice, text, write_out};
use crate::clock::monotonic_ms;
use crate::frame::kazoo::{Arrived, Order, Query, Reason, Suspended, Waiter};
use crate::host::{Level, log_of};
use crate::kazoo::json::Value;
use crate::kazoo::{SHORT_BYTES_MAX, counter, payload};
use crate::shm::mailbox::{Mailbox, Outcome};
use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::time::{Duration, Instant};

/// The longest time that a script may give a query.
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// A query that is complete, but for who waits for its answer.
struct Prepared {
    exchange: Vec<u8>,
    routing_key: Vec<u8>,
    headers: Vec<u8>,
    message: payload::Outgoing,
}

thread_local! {
    static PREPARED: RefCell<Option<Prepared>> = const { RefCell::new(None) };
    static MAILBOX: RefCell<Option<(usize, Mailbox)>> = const { RefCell::new(None) };
    /// The answer got last, with a NUL behind it.
    static RESULT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The first half of a query: checks it and keeps it for kazoo_query or kazoo_async_query. 1, or -1
/// if it cannot be sent or if no server of the primary zone is connected. There is no result any
/// more. Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_query_prepare(
    process: u32,
    exchange: Slice,
    routing_key: Slice,
    json: Slice,
    headers: Slice,
) -> c_int {
    guard("sipbus_kazoo_query_prepare", -1, || {
        let prepared = with_outbox(process, |outbox| {
            outbox.called();
            outbox.count(counter::call::QUERIES);
            let (exchange, routing_key) = (exchange.get(), routing_key.get());
            if routing_key.len() > SHORT_BYTES_MAX {
                outbox.invalid("the routing key is longer than 255 bytes");
                return -1;
            }
            let Some(message) = outgoing(process, outbox, exchange, json.get()) else {
                return -1;
            };
            if !is_connected() {
                outbox.count(counter::call::NO_CONNECTION);
                return -1;
            }
            PREPARED.set(Some(Prepared {
                exchange: exchange.to_vec(),
                routing_key: routing_key.to_vec(),
                headers: headers.get().to_vec(),
                message,
            }));
            1
        });
        // Not before: the arguments may be the result.
        set_result(None);
        prepared
    })
}

/// Counts a query whose arguments the shim could not use; `why` is logged. -1, and there is no
/// result any more. Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_query_invalid(process: u32, why: *const c_char) -> c_int {
    guard("sipbus_kazoo_query_invalid", -1, || {
        set_result(None);
        with_outbox(process, |outbox| {
            outbox.called();
            outbox.count(counter::call::QUERIES);
            outbox.invalid(&text(why).unwrap_or_default());
            -1
        })
    })
}

/// `kazoo_query(...)`, after sipbus_kazoo_query_prepare: 1 with the answer in kazoo_result, or -1.
/// `timeout_ms` 0 means that of the settings. Phase: any process, after sipbus_create. Blocks until
/// the answer comes, at most as long as the timeout.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_query(process: u32, timeout_ms: i64) -> c_int {
    guard("kazoo_query", -1, || {
        let Some(prepared) = PREPARED.take() else {
            return -1;
        };
        let timeout_ms = timeout(timeout_ms);
        let deadline = Instant::now() + Duration::from_millis(timeout_ms);
        MAILBOX.with_borrow_mut(|slot| {
            let Some(mailbox) = mailbox(slot, process as usize) else {
                return -1;
            };
            let Some(generation) = mailbox.open() else {
                log_of(
                    NAME,
                    Level::Warning,
                    "kazoo_query: the engine is stopped in the middle of an answer",
                );
                return -1;
            };
            let waiter = Waiter::Blocking {
                process,
                generation,
            };
            if !submit(process, &prepared, timeout_ms, waiter) {
                _ = mailbox.give_up();
                return -1;
            }
            match mailbox.wait(deadline) {
                Outcome::Filled(reply) => answered(reply),
                Outcome::Failed(reason) => {
                    tell(reason);
                    -1
                }
                Outcome::Timeout => {
                    tell(Reason::Timeout as u32);
                    -1
                }
            }
        })
    })
}

/// The second half of `kazoo_async_query(...)`, after sipbus_kazoo_query_prepare and after the
/// transaction was suspended: 1 if the query was accepted, else -1, and the suspend has to be
/// cancelled. `answer` and `failure` are given back in the event that resumes it. `timeout_ms` as in
/// kazoo_query. Phase: any process. Blocks as kazoo_publish.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_async_query(
    process: u32,
    timeout_ms: i64,
    tindex: u32,
    tlabel: u32,
    answer: u32,
    failure: u32,
) -> c_int {
    guard("kazoo_async_query", -1, || {
        let Some(prepared) = PREPARED.take() else {
            return -1;
        };
        let waiter = Waiter::Async(Suspended {
            tindex,
            tlabel,
            ok: answer,
            err: failure,
        });
        if submit(process, &prepared, timeout(timeout_ms), waiter) {
            1
        } else {
            -1
        }
    })
}

/// `$kzR`: 1 with the answer got last in `out`, or 0 if there is none; valid until the next query or
/// the end of the event. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_result(out: *mut Slice) -> c_int {
    guard("kazoo_result", 0, || {
        RESULT.with_borrow(|result| {
            let bytes = result.as_deref().and_then(<[u8]>::split_last);
            bytes.map_or(0, |(_, bytes)| {
                c_int::from(write_out(out, Slice::of(bytes)))
            })
        })
    })
}

/// Sets `$kzR`.
pub(super) fn set_result(answer: Option<Vec<u8>>) {
    RESULT.set(answer.map(|mut bytes| {
        bytes.push(0);
        bytes
    }));
}

/// A message as scripts see it, completed with where it came from; None if it is no object.
pub(super) fn completed(arrived: &Arrived<'_>) -> Option<(Value, Vec<u8>)> {
    let server = usize::from(arrived.server);
    let servers = &known()?.settings.servers;
    let zone = &servers.get(server.checked_sub(1)?)?.zone;
    payload::incoming(arrived.body, server, zone, arrived.received).ok()
}

fn answered(reply: &[u8]) -> c_int {
    let Some((value, bytes)) = Arrived::parse(reply).as_ref().and_then(completed) else {
        return -1;
    };
    // The script is going to ask for its fields.
    kazoo_json::keep(&bytes, value);
    set_result(Some(bytes));
    1
}

fn tell(reason: u32) {
    let reason = u16::try_from(reason).ok().and_then(Reason::from_number);
    let why = reason.map_or("the engine says no", Reason::text);
    log_of(NAME, Level::Debug, &format!("kazoo_query: {why}"));
}

fn timeout(timeout_ms: i64) -> u64 {
    match u64::try_from(timeout_ms) {
        Ok(given @ 1..) => given.min(TIMEOUT_MS_MAX),
        _ => known().map_or(0, |known| known.settings.query_timeout_ms),
    }
}

/// True if a server of the primary zone is connected, as the engine said last.
fn is_connected() -> bool {
    let Some(instance) = instance::get() else {
        return false;
    };
    let Some(index) = instance.index(NAME) else {
        return false;
    };
    instance.region.head().engine.pid.value() != 0
        && instance.region.module(index).peers.value() != 0
}

/// The calling process's mailbox, attached at the first call.
fn mailbox(slot: &mut Option<(usize, Mailbox)>, process: usize) -> Option<&mut Mailbox> {
    if slot.as_ref().is_none_or(|(owner, _)| *owner != process) {
        let instance = instance::get()?;
        let index = instance.index(NAME)?;
        let (header, store) = instance.region.mailbox(index, process)?;
        *slot = Some((process, Mailbox::attach(header, store)));
    }
    slot.as_mut().map(|(_, mailbox)| mailbox)
}

fn submit(process: u32, prepared: &Prepared, timeout_ms: u64, waiter: Waiter) -> bool {
    let query = Query {
        needs_server_id: prepared.message.needs_server_id,
        exchange: &prepared.exchange,
        routing_key: &prepared.routing_key,
        body: &prepared.message.body,
        headers: &prepared.headers,
        msg_id: prepared.message.msg_id.as_bytes(),
        deadline_ms: monotonic_ms().saturating_add(timeout_ms),
        waiter,
    };
    let accepted = with_outbox(process, |outbox| {
        let submitted = Order::Query(query).write(|parts| outbox.submit(parts));
        c_int::from(submitted == Ok(true))
    });
    accepted == 1
}
