//! Certificates are read again because an operator asks for it.

use super::guard::guard;
use super::instance;
use super::slice::{Slice, text, write_out};
use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::time::{Duration, Instant};

/// How long the engine may take to read a few files; it may be just starting.
const LIMIT: Duration = Duration::from_secs(5);

thread_local! {
    /// What the last call said.
    static WHY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Has a module's connector read its certificates again. 0 if they are in force for what comes next,
/// and connections to servers are being made again with them; 1 if the old ones stay, with the reason
/// in `why`, valid until the next call; -1 before sipbus_create. Phase: any process. Blocks for as long
/// as it takes to read files, at most 5 seconds.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_tls_reload(module: *const c_char, why: *mut Slice) -> c_int {
    guard("sipbus_tls_reload", -1, || {
        let Some((module, instance)) = text(module).zip(instance::get()) else {
            return -1;
        };
        let Some(index) = instance.index(&module) else {
            return -1;
        };
        let request = &instance.region.module(index).renewal;
        let number = request.ask();
        if let Some(waker) = instance.wakers.get(index) {
            waker.wake();
        }
        let answer = request.wait(number, Instant::now() + LIMIT);
        let mistake = answer.unwrap_or_else(|| "the engine does not answer".to_owned());
        WHY.with_borrow_mut(|last| {
            *last = mistake;
            if last.is_empty() {
                return 0;
            }
            if write_out(why, Slice::of(last.as_bytes())) {
                1
            } else {
                -1
            }
        })
    })
}
