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

/// Waits until `cond` holds, for so long; whether it does. For what must go on even if it does not.
pub(crate) fn at_most(time: Duration, mut cond: impl FnMut() -> bool) -> bool {
    poll(time, || cond().then_some(())).is_some()
}

/// Waits until `probe` returns a value.
pub(crate) fn until_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let watchdog = watchdog();
    poll(watchdog, &mut probe)
        .unwrap_or_else(|| panic!("watchdog: waited {watchdog:?} until {what}"))
}

fn poll<T>(time: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        let found = probe();
        if found.is_some() || begin.elapsed() >= time {
            return found;
        }
        std::thread::sleep(STEP);
    }
}
