//! What operators look at: counters and status.

use super::guard::guard;
use super::instance;
use super::slice::{reference, text};
use super::status;
use crate::host::raw::sipbus_report;
use crate::host::report::Report;
use std::ffi::{c_char, c_int};

/// The name of a module's counter number `index`, or NULL behind the last one. The text lives as
/// long as the process. Phase: mod_init of that module, after its configure, and later.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_counter_name(module: *const c_char, index: u32) -> *const c_char {
    guard("sipbus_counter_name", std::ptr::null(), || {
        let Some(module) = text(module) else {
            return std::ptr::null();
        };
        let counter = status::counters(&module).and_then(|all| all.get(index as usize));
        counter.map_or(std::ptr::null(), |counter| counter.name.as_ptr())
    })
}

/// The value of a module's counter number `index` now, summed up over all processes.
/// Phase: any process, after sipbus_create; 0 before. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_counter_value(module: *const c_char, index: u32) -> u64 {
    guard("sipbus_counter_value", 0, || {
        let Some((module, instance)) = text(module).zip(instance::get()) else {
            return 0;
        };
        let Some(at) = instance.index(&module) else {
            return 0;
        };
        let counters = instance.modules.get(at).map(|module| module.counters);
        let counter = counters.and_then(|counters| counters.get(index as usize));
        counter.map_or(0, |counter| counter.value(instance.region, at))
    })
}

/// Writes the status of the engine and of every connector. 0, or -1 before sipbus_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_status(report: *const sipbus_report) -> c_int {
    guard("sipbus_status", -1, || {
        let Some((report, instance)) = reference(report).zip(instance::get()) else {
            return -1;
        };
        status::write(&Report::new(report), instance);
        0
    })
}

/// Writes a module's counters. 0, or -1 before sipbus_create. Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_stats(module: *const c_char, report: *const sipbus_report) -> c_int {
    guard("sipbus_stats", -1, || {
        let (Some(report), Some(instance)) = (reference(report), instance::get()) else {
            return -1;
        };
        let Some(at) = text(module).and_then(|module| instance.index(&module)) else {
            return -1;
        };
        let counters = instance
            .modules
            .get(at)
            .map_or(&[][..], |module| module.counters);
        let report = Report::new(report);
        for counter in counters {
            report.number(counter.name, counter.value(instance.region, at));
        }
        0
    })
}
