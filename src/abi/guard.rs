//! The one panic boundary.

use crate::host::{Level, log};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an exported function. A panic is logged and answered with `fallback`.
pub(super) fn guard<T>(name: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    // What a body may leave half done is per-process state that every call checks anew.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let why = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let why = why
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        log(
            Level::Error,
            &format!("{name}: a bug in sipbus, the call failed: {why}"),
        );
        fallback
    })
}
