//! Looking for work for a moment before sleep.
//!
//! Waking a sleeper whose processor went to sleep with it costs tens of microseconds, more than what a
//! short message is waited for takes otherwise. Who looks gives the processor to whoever wants it at
//! each turn.

use rustix::thread::sched_yield;
use std::time::{Duration, Instant};

/// A worker that had more to do at a time than this is busy with a stream, which wakes it seldom.
const LONE_EVENTS: u32 = 2;

/// Events after which a worker that never rests measures its pace.
const PACE_EVENTS: u32 = 64;

/// A turn that took longer than this: somebody else had all of a processor's time slice.
const CROWDED: Duration = Duration::from_millis(1);

/// Where that was so, who looks comes last: this many times sleep comes at once.
const CROWDED_RESTS: u32 = 1000;

/// Someone who looks for work before sleep.
#[derive(Debug, Default)]
pub(super) struct Look {
    rests: u32,
}

impl Look {
    /// True as soon as `found` says so; false when `limit` is over, or when others want the
    /// processors. Does not sleep.
    pub(super) fn until(&mut self, limit: Duration, mut found: impl FnMut() -> bool) -> bool {
        if self.rests > 0 {
            self.rests -= 1;
            return false;
        }
        let begin = Instant::now();
        let mut last = begin;
        while !found() {
            sched_yield();
            let now = Instant::now();
            if now - last > CROWDED {
                self.rests = CROWDED_RESTS;
                return false;
            }
            if now - begin >= limit {
                return false;
            }
            last = now;
        }
        true
    }
}

/// How an event worker works and rests. It looks before it sleeps as long as events come one by one
/// and closer together than its limit, as halt polling does (Linux, virt/kvm/halt-polling): after one
/// longer rest it sleeps at once, until a rest was short again.
#[derive(Debug)]
pub(super) struct Rhythm {
    look: Look,
    limit: Duration,
    pays: bool,
    began: Instant,
    events: u32,
}

impl Rhythm {
    /// Of a worker that looks for `limit` at most.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            look: Look::default(),
            limit,
            pays: false,
            began: Instant::now(),
            events: 0,
        }
    }

    /// Notes an event. Now and then the time that each of the last ones took, in nanoseconds.
    pub(super) fn took(&mut self) -> Option<u64> {
        self.events += 1;
        if self.events <= PACE_EVENTS {
            return None;
        }
        let now = Instant::now();
        let pace = self.pace(now);
        self.began = now;
        // More than a lone one.
        self.events = LONE_EVENTS + 1;
        pace
    }

    /// Nanoseconds an event until `now`, if there was one.
    pub(super) fn pace(&self, now: Instant) -> Option<u64> {
        let nanos = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(nanos)
            .ok()?
            .checked_div(u64::from(self.events))
    }

    /// Looks for the next event, if that pays.
    pub(super) fn look(&mut self, found: impl FnMut() -> bool) -> bool {
        self.pays && self.events <= LONE_EVENTS && self.look.until(self.limit, found)
    }

    /// There is an event again, after a rest since `idle`.
    pub(super) fn goes_on(&mut self, idle: Instant) {
        self.began = Instant::now();
        self.events = 0;
        self.pays = self.began.saturating_duration_since(idle) < self.limit;
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Rhythm};
    use std::time::{Duration, Instant};

    const LIMIT: Duration = Duration::from_secs(3600);

    /// A rest that ended just now.
    fn rested(rhythm: &mut Rhythm, rest: Duration) {
        rhythm.goes_on(
            Instant::now()
                .checked_sub(rest)
                .unwrap_or_else(Instant::now),
        );
    }

    /// Whether it looks at all. How often depends on who else wants the processors.
    fn looks(rhythm: &mut Rhythm) -> bool {
        rhythm.look(|| true)
    }

    #[test]
    fn a_look_goes_on_until_there_is_something() {
        let look = |_| {
            let mut turns = 0;
            Look::default().until(LIMIT, || {
                turns += 1;
                turns == 3
            })
        };
        // Where others want the processors, a look ends early.
        assert!((0..10_000).any(look));
    }

    #[test]
    fn a_look_ends_with_its_limit() {
        assert!(!Look::default().until(Duration::from_nanos(1), || false));
        assert!(Look::default().until(Duration::ZERO, || true));
    }

    #[test]
    fn a_worker_looks_after_short_rests_only() {
        let mut rhythm = Rhythm::new(LIMIT);
        assert!(!looks(&mut rhythm));
        rested(&mut rhythm, Duration::ZERO);
        rhythm.took();
        assert!(looks(&mut rhythm));
        let mut never = Rhythm::new(Duration::ZERO);
        rested(&mut never, Duration::ZERO);
        assert!(!looks(&mut never));
    }

    #[test]
    fn a_worker_with_a_stream_does_not_look() {
        let mut rhythm = Rhythm::new(LIMIT);
        rested(&mut rhythm, Duration::ZERO);
        for _ in 0..3 {
            rhythm.took();
        }
        assert!(!looks(&mut rhythm));
    }

    #[test]
    fn the_pace_of_a_worker_that_never_rests_is_measured() {
        let mut rhythm = Rhythm::new(LIMIT);
        let measured = (0..1000).filter(|_| rhythm.took().is_some()).count();
        assert_eq!(measured, 16);
        let hour = Instant::now() + LIMIT;
        assert!(rhythm.pace(hour).is_some_and(|nanos| nanos > 0));
    }
}
