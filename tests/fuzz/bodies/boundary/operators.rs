//! What operators ask, what shims ask at the start, and calls whose arguments a shim could not
//! evaluate.

use super::calls::{Calls, bytes};
use super::stand::{MODULES, PROCESS, Stand, reported};
use sipbus::abi::{Slice, evapi, event_kafka, kazoo, kazoo_query, kazoo_status};
use sipbus::abi::{lifecycle, nats, operation, renewal};
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
    start(index);
    let why = calls.text().c_string();
    reload(stand, &module, &why.to_string_lossy());
    invalid(stand, &why);
}

/// What a start asks for once, asked again; and a supervisor that has nothing to wait for.
fn start(index: u32) {
    assert_eq!(lifecycle::sipbus_supervisor_claim(), 0);
    assert!(lifecycle::sipbus_stop_seconds() > 0);
    assert!(event_kafka::sipbus_kafka_report_workers() > 0);
    let mut config = kazoo::KazooConfig {
        presence: 0,
        db_url: Slice::EMPTY,
        presentity_table: Slice::EMPTY,
        lock_type: 0,
        timeout_variable: Slice::EMPTY,
    };
    assert_eq!(kazoo::sipbus_kazoo_configured(&raw mut config), 0);
    for text in [
        config.db_url,
        config.presentity_table,
        config.timeout_variable,
    ] {
        assert!(std::str::from_utf8(bytes(text)).is_ok());
    }
    let nowhere = std::ptr::null_mut();
    assert_eq!(kazoo::sipbus_kazoo_configured(nowhere), -1);
    let closed = -1 - i32::try_from(index).unwrap();
    assert_eq!(lifecycle::sipbus_supervise(closed), 1);
}

/// The engine's answer is there before the question: nobody waits.
fn reload(stand: &Stand, module: &CStr, mistake: &str) {
    let mut why = Slice::EMPTY;
    let nowhere = std::ptr::null_mut();
    if !MODULES.contains(&module) {
        let answer = renewal::sipbus_tls_reload(module.as_ptr(), &raw mut why);
        return assert_eq!(answer, -1);
    }
    let name = module.to_str().unwrap();
    let expected = i32::from(!mistake.is_empty());
    stand.answer(name, mistake);
    let answer = renewal::sipbus_tls_reload(module.as_ptr(), &raw mut why);
    assert_eq!(answer, expected);
    let why = std::str::from_utf8(bytes(why)).unwrap();
    // The region has little room for it.
    assert!(mistake.starts_with(why) && why.is_empty() == mistake.is_empty());
    stand.answer(name, mistake);
    let answer = renewal::sipbus_tls_reload(module.as_ptr(), nowhere);
    assert_eq!(answer, -expected);
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
fn invalid(stand: &Stand, why: &CStr) {
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
