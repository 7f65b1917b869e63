//! Waiting on conditions under a watchdog; the only place that passes time.

use std::time::{Duration, Instant};

/// Far beyond what any healthy step takes, also on a loaded machine: reaching it is a failure.
/// `SIPBUS_WATCHDOG` has other seconds, for a debugger or a much slower machine.
pub(crate) fn watchdog() -> Duration {
    let seconds = std::env::var("SIPBUS_WATCHDOG")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(120))
}

/// Short enough not to slow a test down, long enough not to load the two cores it shares.
const STEP: Duration = Duration::from_millis(5);

/// Waits until `cond` holds.
pub(crate) fn until(what: &str, mut cond: impl FnMut() -> bool) {
    until_some(what, || cond().then_some(()));
}

/// Waits until `probe` returns a value.
pub(crate) fn until_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let (begin, watchdog) = (Instant::now(), watchdog());
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            begin.elapsed() < watchdog,
            "watchdog: waited {watchdog:?} until {what}"
        );
        std::thread::sleep(STEP);
    }
}
