//! Wakes the other side only if it said that it sleeps.
//!
//! The pattern is Dekker's: each side stores, fences, and then looks at what the other stores.
//!
//! ```text
//!  sleeper: word = ASLEEP; fence; is there work? -> AWAKE, else wait until `rings` moves
//!  ringer:  publish work;  fence; word == ASLEEP? -> rings += 1, wake, word = AWAKE
//! ```
//!
//! Either the sleeper sees the work or the ringer sees the sleeper: no wake-up is lost, and while
//! the sleeper is busy a ring costs one fence and one load. Idle costs nothing at all.
//!
//! A ringer may be killed between any two steps: until the sleeper was really woken the word still
//! says ASLEEP, so the next ringer wakes it. The word carries a generation, so that a late ringer
//! cannot take back an announcement made after the sleep it ended.

use crate::primitive::{AtomicU32, Ordering, fence};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
const CLOSED: u32 = 2;
const STATE: u32 = 3;
const GENERATION: u32 = 4;

/// The shared words, alone on their cache lines.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Doorbell {
    /// Generation of the sleep, and the state in the lowest two bits.
    word: AtomicU32,
    /// Moves with each ring that found the sleeper asleep; what a futex waits on.
    rings: AtomicU32,
}

/// Nobody answers this doorbell any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

/// One announcement of sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sleep {
    rings: u32,
}

impl Doorbell {
    /// A doorbell whose owner is awake.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicU32::new(AWAKE),
            rings: AtomicU32::new(0),
        }
    }

    /// Called after the work was published: calls `wake` if the sleeper sleeps.
    ///
    /// # Errors
    /// [`Closed`] if the other side has left for good and may not have seen the work.
    pub fn ring(&self, wake: impl FnOnce(&AtomicU32)) -> Result<(), Closed> {
        self.ring_when(|| true, wake)
    }

    /// As [`ring`](Self::ring), but leaves the sleeper asleep unless `due`, which may look at what
    /// the sleeper wrote before it announced sleep.
    ///
    /// # Errors
    /// As [`ring`](Self::ring).
    pub fn ring_when(
        &self,
        due: impl FnOnce() -> bool,
        wake: impl FnOnce(&AtomicU32),
    ) -> Result<(), Closed> {
        // SYNC no-lost-wake: orders the published work before the look at the word.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let word = self.word.load(Ordering::Relaxed);
        match word & STATE {
            AWAKE => Ok(()),
            ASLEEP if !due() => Ok(()),
            ASLEEP => {
                self.rings.fetch_add(1, Ordering::Relaxed);
                wake(&self.rings);
                let awake = (word & !STATE) | AWAKE;
                // Fails if the sleeper woke up meanwhile, which is as good.
                _ = self
                    .word
                    .compare_exchange(word, awake, Ordering::Relaxed, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(Closed),
        }
    }

    /// Announces sleep. The caller looks for work once more and then either waits until rung or
    /// calls [`awake`](Self::awake).
    pub fn asleep(&self) -> Sleep {
        let rings = self.rings.load(Ordering::Relaxed);
        let generation = (self.word.load(Ordering::Relaxed) & !STATE).wrapping_add(GENERATION);
        // Relaxed: ordered by the fence. A swap, here and below, so that a late ringer's exchange
        // can only come before or after it, never in its place.
        self.word.swap(generation | ASLEEP, Ordering::Relaxed);
        // SYNC no-lost-wake: orders the word before the look for work.
        fence(Ordering::SeqCst);
        Sleep { rings }
    }

    /// Takes the announcement back. Also the first word of an owner that starts again.
    pub fn awake(&self) {
        let generation = self.word.load(Ordering::Relaxed) & !STATE;
        self.word.swap(generation | AWAKE, Ordering::Relaxed);
    }

    /// Answers no more: from now on [`ring`](Self::ring) says [`Closed`]. The caller then takes
    /// what was published before.
    pub fn close(&self) {
        let generation = self.word.load(Ordering::Relaxed) & !STATE;
        self.word.swap(generation | CLOSED, Ordering::Relaxed);
        // SYNC no-lost-wake: work that is not seen after this fence was told Closed.
        fence(Ordering::SeqCst);
    }

    /// True if nobody has rung since `sleep` was announced.
    #[must_use]
    pub fn sleeps(&self, sleep: Sleep) -> bool {
        self.rings.load(Ordering::Relaxed) == sleep.rings
    }

    /// True after [`close`](Self::close), until the next owner is [`awake`](Self::awake).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & STATE == CLOSED
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(sipbus_loom)]
pub use model::{futex_wake, wait_rung};
#[cfg(not(sipbus_loom))]
pub use waiting::{futex_wake, wait_rung};

#[cfg(not(sipbus_loom))]
mod waiting {
    use super::{Doorbell, Sleep};
    use crate::primitive::AtomicU32;
    use rustix::thread::futex;
    use std::time::{Duration, Instant};

    /// The waker for a doorbell whose owner waits in [`wait_rung`]: not private, the two sides are
    /// processes.
    pub fn futex_wake(rings: &AtomicU32) {
        // An error means that nobody waits.
        _ = futex::wake(rings, futex::Flags::empty(), 1);
    }

    /// Blocks after [`Doorbell::asleep`] until rung or until `deadline`; signals do not end it.
    /// True if rung.
    pub fn wait_rung(bell: &Doorbell, sleep: Sleep, deadline: Option<Instant>) -> bool {
        while bell.sleeps(sleep) {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let left = left.and_then(|left| left.try_into().ok());
            // Woken, moved, interrupted or timed out: the loop looks.
            _ = futex::wait(
                &bell.rings,
                futex::Flags::empty(),
                sleep.rings,
                left.as_ref(),
            );
        }
        true
    }
}

#[cfg(sipbus_loom)]
mod model {
    use super::{Doorbell, Sleep};
    use crate::primitive::AtomicU32;
    use std::time::{Duration, Instant};

    /// A deadline so far away is none: what ends the wait then is a ring, or nothing.
    const NEVER: Duration = Duration::from_secs(3600);

    /// The waiter looks for itself.
    pub fn futex_wake(_: &AtomicU32) {}

    /// As the real one, but time is over whenever it likes.
    pub fn wait_rung(bell: &Doorbell, sleep: Sleep, deadline: Option<Instant>) -> bool {
        let for_ever = deadline.is_none_or(|deadline| deadline > Instant::now() + NEVER);
        while bell.sleeps(sleep) {
            loom::thread::yield_now();
            if !for_ever {
                return !bell.sleeps(sleep);
            }
        }
        true
    }
}
