//! What operators ask, what shims ask at the start, and calls whose arguments a shim could not
//! evaluate.

use super::calls::Calls;
use super::stand::{MODULES, PROCESS, Stand, reported};
use sipbus::abi::{evapi, event_kafka, kazoo, kazoo_query, kazoo_status, nats, operation};
use std::ffi::{CStr, c_char};

pub(super) fn ask(stand: &Stand, calls: &mut Calls<'_>) {
    let known = MODULES.map(|name| name.to_str().unwrap());
    let module = calls.one_of(&known).c_string();
    let index = u32::from(calls.number());
    let name = operation::sipbus_counter_name(module.as_ptr(), index);
    let value = operation::sipbus_counter_value(module.as_ptr(), index);
    assert!(named(name) || value == 0);
    let is_module = MODULES.contains(&module.as_c_str());
    let stats = |report| operation::sipbus_stats(module.as_ptr(), report);
    assert_eq!(reported(stats) == 0, is_module);
    let status = |report| operation::sipbus_status(report);
    assert_eq!(reported(status), 0);
    let connections = |report| kazoo_status::sipbus_kazoo_connections(module.as_ptr(), report);
    assert_eq!(reported(connections), 0);
    let subscriptions = |report| kazoo_status::sipbus_kazoo_subscriptions(module.as_ptr(), report);
    assert_eq!(reported(subscriptions), 0);
    for title in [
        nats::sipbus_nats_worker_title,
        evapi::sipbus_evapi_worker_title,
        kazoo::sipbus_kazoo_worker_title,
        event_kafka::sipbus_event_kafka_worker_title,
    ] {
        // There are few workers, and many numbers.
        assert!(named(title(0)) && !named(title(index + 100)));
    }
    invalid(stand, calls);
}

fn named(name: *const c_char) -> bool {
    if name.is_null() {
        return false;
    }
    // SAFETY: the library's names end with a NUL.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().is_ok()
}

/// Whatever the reason is, it is counted and said, and nothing is sent.
fn invalid(stand: &Stand, calls: &mut Calls<'_>) {
    let why = calls.text().c_string();
    for invalid in [
        nats::sipbus_nats_publish_invalid,
        evapi::sipbus_evapi_invalid,
        kazoo::sipbus_kazoo_invalid,
        kazoo_query::sipbus_kazoo_query_invalid,
    ] {
        assert_eq!(invalid(PROCESS, why.as_ptr()), -1);
    }
    assert_eq!(evapi::sipbus_evapi_late(PROCESS), -1);
    for module in MODULES {
        assert!(stand.taken(module.to_str().unwrap()).is_empty());
    }
}
