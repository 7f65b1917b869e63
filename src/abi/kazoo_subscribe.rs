//! The subscriptions of the kazoo module: they are made while Kamailio starts.

use super::guard::guard;
use super::kazoo::{NAME, complete};
use super::slice::Slice;
use crate::host::{Level, log_of};
use crate::kazoo::subscription::Subscription;
use crate::kazoo::table::SUBSCRIPTIONS_MAX;
use std::cell::RefCell;
use std::ffi::c_int;

thread_local! {
    /// While event_route[kazoo:mod-init] runs: what it subscribed to, and whether all of it can be.
    static STARTING: RefCell<Option<(Vec<Subscription>, bool)>> = const { RefCell::new(None) };
}

/// Begins the time in which kazoo_subscribe may be called.
/// Phase: child_init(PROC_INIT), after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_start() {
    guard("sipbus_kazoo_start", (), || {
        STARTING.set(Some((Vec::new(), true)));
    });
}

/// Ends it: what was subscribed to is what the engine will consume. 0, or -1 if a subscription was
/// refused. Phase: as sipbus_kazoo_start. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_started() -> c_int {
    guard("sipbus_kazoo_started", -1, || {
        let started = STARTING.take();
        if started.is_some_and(|(subscriptions, sound)| sound && complete(subscriptions)) {
            0
        } else {
            -1
        }
    })
}

/// `kazoo_subscribe(json)`: 1 if the subscription will be made, else -1, which keeps Kamailio from
/// starting. Phase: between sipbus_kazoo_start and sipbus_kazoo_started. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_subscribe(json: Slice) -> c_int {
    guard("kazoo_subscribe", -1, || {
        subscribe(|| Subscription::from_json(json.get()))
    })
}

/// `kazoo_subscribe(exchange, type, queue, routing_key)`: as kazoo_subscribe.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_subscribe_simple(
    exchange: Slice,
    kind: Slice,
    queue: Slice,
    routing_key: Slice,
) -> c_int {
    guard("kazoo_subscribe_simple", -1, || {
        let (exchange, kind) = (exchange.get(), kind.get());
        subscribe(|| Subscription::simple(exchange, kind, queue.get(), routing_key.get()))
    })
}

fn subscribe(read: impl FnOnce() -> Result<Subscription, String>) -> c_int {
    STARTING.with_borrow_mut(|starting| {
        let Some((subscriptions, sound)) = starting else {
            log_of(
                NAME,
                Level::Error,
                "kazoo_subscribe: only event_route[kazoo:mod-init] can subscribe",
            );
            return -1;
        };
        let why = match read() {
            Ok(subscription) if subscriptions.len() < SUBSCRIPTIONS_MAX => {
                subscriptions.push(subscription);
                return 1;
            }
            Ok(_) => format!("there are {SUBSCRIPTIONS_MAX} subscriptions already"),
            Err(why) => why,
        };
        log_of(NAME, Level::Error, &format!("kazoo_subscribe: {why}"));
        *sound = false;
        -1
    })
}
