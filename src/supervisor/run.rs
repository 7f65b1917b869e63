//! The supervisor's loop.

use super::process::Engine;
use crate::frame::END;
use crate::host::{Level, log};
use crate::shm::inbox::InboxEnd;
use crate::shm::region::Region;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pause before the second restart in a row; doubles up to [`PAUSE_MAX`]. The first is at once.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A run this long counts as a good one.
const GOOD_RUN: Duration = Duration::from_secs(10);
/// How much longer than its own deadline a draining engine may take before it is killed.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// How much longer than the drain's own deadline it may take until everything has ended.
pub const STOP_GRACE: Duration = Duration::from_secs(4);

/// What the supervisor hands to each engine.
#[derive(Debug)]
pub struct Supervised<'a> {
    /// The region.
    pub region: &'static Region,
    /// The settings document.
    pub settings: OwnedFd,
    /// By module name.
    pub doorbells: Vec<(&'a str, BorrowedFd<'a>)>,
    /// Listening sockets, by module name and number of the setting.
    pub listeners: Vec<(&'a str, usize, BorrowedFd<'a>)>,
    /// How long the drain at the end may take.
    pub drain_timeout_ms: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Stop,
    EngineDied,
    Other,
}

/// Keeps the engine running until `signals`, which is for SIGTERM, becomes readable; then drains it.
/// The end of the parent process counts as that signal. Blocks until then. However it ends, event
/// workers are told.
///
/// # Errors
/// If the parent cannot be watched, polling fails, or no engine can be started to drain.
pub fn run(supervised: &Supervised<'_>, signals: &OwnedFd) -> io::Result<()> {
    let outcome = keep_running(supervised, signals);
    // Nothing that is accepted from here on would ever be taken: processes that outlive us are told.
    for module in supervised.region.modules() {
        module.bell.close();
    }
    end_inboxes(supervised.region);
    outcome
}

fn keep_running(supervised: &Supervised<'_>, signals: &OwnedFd) -> io::Result<()> {
    // Kamailio's main process: when it is killed, nobody else sends SIGTERM any more.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let mut failures = 0;
    let mut first = true;
    loop {
        let started = Instant::now();
        let outcome = match Engine::start(supervised) {
            Ok(engine) => watch(supervised, engine, signals, first)?,
            Err(error) => {
                log(Level::Error, &format!("the engine does not start: {error}"));
                Woken::EngineDied
            }
        };
        first = false;
        if outcome == Woken::Stop {
            return Ok(());
        }
        failures = if started.elapsed() >= GOOD_RUN {
            0
        } else {
            failures + 1
        };
        if failures > 1 {
            let pause = PAUSE
                .saturating_mul(1 << (failures - 2).min(8))
                .min(PAUSE_MAX);
            if wait(signals, None, Some(pause))? == Woken::Stop {
                return drain_with_new_engine(supervised);
            }
        }
    }
}

/// Runs one engine to its end.
fn watch(
    supervised: &Supervised<'_>,
    engine: Engine,
    signals: &OwnedFd,
    first: bool,
) -> io::Result<Woken> {
    let words = &supervised.region.head().engine;
    words.started_at.set(now());
    if !first {
        words.restarts.add(1);
    }
    words.pid.set(u64::from(engine.pid()));
    log(
        Level::Info,
        &format!("the engine runs as process {}", engine.pid()),
    );
    loop {
        match wait(signals, Some(&engine), None)? {
            Woken::Other => {}
            Woken::Stop => {
                drain(supervised, engine)?;
                return Ok(Woken::Stop);
            }
            Woken::EngineDied => {
                words.pid.set(0);
                for index in 0..supervised.region.plan().modules.len() {
                    supervised.region.module(index).peers.set(0);
                }
                let status = engine.reap()?;
                // Its connections died with it; the board must not say otherwise meanwhile.
                supervised
                    .region
                    .modules()
                    .for_each(|module| module.disconnect(now()));
                log(
                    Level::Error,
                    &format!("the engine died ({status}), starting it again"),
                );
                return Ok(Woken::EngineDied);
            }
        }
    }
}

/// Lets the engine deliver what was accepted, up to its deadline. One that dies meanwhile is
/// followed by another.
fn drain(supervised: &Supervised<'_>, mut engine: Engine) -> io::Result<()> {
    let limit = Duration::from_millis(supervised.drain_timeout_ms) + KILL_GRACE;
    let deadline = Instant::now() + limit;
    while !drain_with(supervised, engine, deadline)? && Instant::now() < deadline {
        engine = Engine::start(supervised)?;
    }
    Ok(())
}

/// True if the engine ended because it was done or out of time.
fn drain_with(
    supervised: &Supervised<'_>,
    mut engine: Engine,
    deadline: Instant,
) -> io::Result<bool> {
    supervised
        .region
        .head()
        .engine
        .pid
        .set(u64::from(engine.pid()));
    engine.stop();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            log(Level::Error, "the engine did not end in time, killing it");
            engine.kill();
        }
        let mut fds = engine.poll_fds();
        poll_for(&mut fds, (!left.is_zero()).then_some(left))?;
        let died = !fds[0].revents().is_empty();
        engine.relay_log();
        if died {
            break;
        }
    }
    supervised.region.head().engine.pid.set(0);
    let status = engine.reap()?;
    if status.code().is_none() {
        log(
            Level::Error,
            &format!("the engine died while draining ({status})"),
        );
    }
    Ok(status.code().is_some())
}

/// Told to stop while no engine was running: what was accepted still has to be delivered.
fn drain_with_new_engine(supervised: &Supervised<'_>) -> io::Result<()> {
    drain(supervised, Engine::start(supervised)?)
}

/// Tells event workers that wait for it that nothing comes any more. Those whose inbox is full have
/// enough to do until their time is over.
pub fn end_inboxes(region: &Region) {
    for (index, module) in region.plan().modules.iter().enumerate() {
        let inboxes = 0..module.inboxes;
        for mut inbox in inboxes.filter_map(|inbox| InboxEnd::attach(region, index, inbox)) {
            if inbox.stage(&[&END]).is_ok() {
                inbox.deliver();
            }
        }
    }
}

fn wait(signals: &OwnedFd, engine: Option<&Engine>, limit: Option<Duration>) -> io::Result<Woken> {
    let mut fds = vec![PollFd::new(signals, PollFlags::IN)];
    fds.extend(engine.into_iter().flat_map(Engine::poll_fds));
    poll_for(&mut fds, limit)?;
    let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
    if let Some(engine) = engine {
        engine.relay_log();
    }
    Ok(if ready.first() == Some(&true) {
        Woken::Stop
    } else if ready.get(1) == Some(&true) {
        Woken::EngineDied
    } else {
        Woken::Other
    })
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn poll_for(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.and_then(|limit| limit.try_into().ok());
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
