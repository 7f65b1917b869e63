//! From the first modparam to the supervisor process.

use super::guard::guard;
use super::instance::{self, Instance, claim_supervisor, give};
use super::slice::{reference, text};
use crate::config::Value;
use crate::host::raw::sipbus_host;
use crate::host::{self, Level, log};
use crate::supervisor::{self, Supervised};
use std::ffi::{c_char, c_int};
use std::time::Duration;

/// Sets the host's table for a module, whose log lines go through it. First call of every shim.
/// Phase: mod_register or later. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_host_set(module: *const c_char, table: *const sipbus_host) {
    guard("sipbus_host_set", (), || {
        // H5: the host's table outlives the process.
        if let Some((module, table)) = text(module).zip(reference(table)) {
            host::set(&module, table);
        }
    });
}

/// Notes a modparam that is a text. Checked later, all at once.
/// Phase: parsing of the configuration. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_setting_text(
    module: *const c_char,
    name: *const c_char,
    value: *const c_char,
) {
    guard("sipbus_setting_text", (), || {
        if let (Some(module), Some(name), Some(value)) = (text(module), text(name), text(value)) {
            give(&module, &name, Value::Text(value.into_owned()));
        }
    });
}

/// Notes a modparam that is a number. Checked later, all at once.
/// Phase: parsing of the configuration. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_setting_number(module: *const c_char, name: *const c_char, value: i64) {
    guard("sipbus_setting_number", (), || {
        if let (Some(module), Some(name)) = (text(module), text(name)) {
            give(&module, &name, Value::Number(value));
        }
    });
}

/// 1 for the first caller of this Kamailio, which registers and forks the supervisor; 0 for others.
/// Phase: mod_init. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_supervisor_claim() -> c_int {
    guard("sipbus_supervisor_claim", 0, || {
        c_int::from(claim_supervisor())
    })
}

/// Makes the shared region for a process table of `processes`, and checks that the engine is there.
/// 0, or -1 with the reason logged. Further calls do nothing.
/// Phase: child_init(PROC_INIT), where no process was forked yet. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_create(processes: u32) -> c_int {
    guard("sipbus_create", -1, || {
        let made = supervisor::engine_path().and_then(|_| instance::create(processes as usize));
        match made {
            Ok(()) => 0,
            Err(error) => {
                log(Level::Error, &format!("sipbus cannot start: {error}"));
                -1
            }
        }
    })
}

/// How many seconds after the word to stop the engine has ended at the latest.
/// Phase: any process, after sipbus_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_stop_seconds() -> u32 {
    guard("sipbus_stop_seconds", 0, || {
        let drain_ms = instance::get().map_or(0, Instance::drain_timeout_ms);
        let limit = Duration::from_millis(drain_ms) + supervisor::STOP_GRACE;
        u32::try_from(limit.as_secs() + 1).unwrap_or(u32::MAX)
    })
}

/// Runs the supervisor: starts the engine, starts it again when it dies, prints its log. Returns
/// the process's exit status after `signal_fd`, a signalfd for SIGTERM and SIGINT, became readable
/// and the engine has drained. Phase: the supervisor process. Blocks until then.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_supervise(signal_fd: c_int) -> c_int {
    guard("sipbus_supervise", 1, || {
        let Some(instance) = instance::get() else {
            return 1;
        };
        let Ok(signals) = crate::shm::inherit::inherited(signal_fd) else {
            return 1;
        };
        let settings = match instance.document().store() {
            Ok(settings) => settings,
            Err(error) => {
                log(Level::Error, &format!("sipbus cannot start: {error}"));
                supervisor::end_inboxes(instance.region);
                return 1;
            }
        };
        let doorbells = instance.modules.iter().zip(&instance.wakers);
        let supervised = Supervised {
            region: instance.region,
            settings,
            doorbells: doorbells
                .map(|(module, waker)| (module.name, waker.fd()))
                .collect(),
            listeners: instance.listeners().collect(),
            drain_timeout_ms: instance.drain_timeout_ms(),
        };
        match supervisor::run(&supervised, &signals) {
            Ok(()) => 0,
            Err(error) => {
                log(
                    Level::Error,
                    &format!("the supervisor of the engine gives up: {error}"),
                );
                1
            }
        }
    })
}
