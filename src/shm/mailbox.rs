//! A mailbox: where one Kamailio process waits for one answer at a time.
//!
//! ```text
//!  waiter:  word = WAITING(n) ... waits on the word ... gives up: WAITING(n) -> IDLE(n)
//!  engine:  WAITING(n) -> FILLING(n); writes; FILLED(n)          late: the exchange fails
//! ```
//!
//! One word decides who was first: a waiter that has given up cannot be filled, and one that is
//! being filled cannot give up. While an engine fills, the bytes are its own, also when the waiter
//! has lost its patience with it (it may be stopped in the middle): until that engine goes on, or
//! the next one has [cleared](MailboxEnd::clear) the word, the mailbox opens for nobody.

use super::look::Look;
use super::store::Store;
use crate::primitive::{AtomicU32, Ordering};

const IDLE: u32 = 0;
const WAITING: u32 = 1;
const FILLING: u32 = 2;
const FILLED: u32 = 3;
const FAILED: u32 = 4;
const STATE: u32 = 7;
const GENERATION: u32 = 8;

/// The shared words.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct MailboxHeader {
    /// Generation of the wait, and the state in the lowest three bits. What a futex waits on.
    word: AtomicU32,
    /// Bytes of the answer, or the number of the reason why there is none.
    len: AtomicU32,
}

impl MailboxHeader {
    /// A mailbox where nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicU32::new(IDLE),
            len: AtomicU32::new(0),
        }
    }
}

impl Default for MailboxHeader {
    fn default() -> Self {
        Self::new()
    }
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer, valid until the next [`open`](Mailbox::open).
    Filled(&'static [u8]),
    /// There will be none; the engine's number for why.
    Failed(u32),
    /// Nothing came in time.
    Timeout,
}

/// The waiting end.
#[derive(Debug)]
pub struct Mailbox {
    header: &'static MailboxHeader,
    store: Store,
    look: Look,
}

impl Mailbox {
    /// Attaches to a mailbox that no other live process waits at.
    #[must_use]
    pub fn attach(header: &'static MailboxHeader, store: Store) -> Self {
        Self {
            header,
            store,
            look: Look::default(),
        }
    }

    /// Begins a wait; its generation is what the engine is told. None while an engine that stopped
    /// in the middle has the bytes. Does not block.
    pub fn open(&mut self) -> Option<u32> {
        let word = self.header.word.load(Ordering::Relaxed);
        if word & STATE == FILLING {
            return None;
        }
        let next = (word & !STATE).wrapping_add(GENERATION);
        // Fails if an engine fills what was left WAITING by a process that was killed.
        let opened = self.header.word.compare_exchange(
            word,
            next | WAITING,
            // SYNC mailbox-empty: what was read of the last answer, before it is overwritten.
            Ordering::Release,
            Ordering::Relaxed,
        );
        opened.is_ok().then_some(next / GENERATION)
    }

    /// How the wait stands; None while there is nothing.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        // SYNC mailbox-filled
        let word = self.header.word.load(Ordering::Acquire);
        match word & STATE {
            FILLED => {
                let len = self.header.len.load(Ordering::Relaxed) as usize;
                let len = len.min(self.store.capacity());
                // SAFETY: FILLED says that nobody writes there until the next `open`.
                Some(Outcome::Filled(unsafe { self.store.view(0, len) }))
            }
            FAILED => Some(Outcome::Failed(self.header.len.load(Ordering::Relaxed))),
            IDLE => Some(Outcome::Timeout),
            _ => None,
        }
    }

    /// Gives up. None if the engine is filling the mailbox just now.
    pub fn give_up(&mut self) -> Option<Outcome> {
        let word = self.header.word.load(Ordering::Relaxed);
        if word & STATE == WAITING {
            let idle = (word & !STATE) | IDLE;
            // Fails if the engine was faster.
            _ = self
                .header
                .word
                .compare_exchange(word, idle, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.outcome()
    }
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The waiter has it.
    Done,
    /// Nobody waits for it any more.
    Late,
    /// It does not fit.
    TooLarge,
}

/// The engine's end.
#[derive(Debug)]
pub struct MailboxEnd {
    header: &'static MailboxHeader,
    store: Store,
}

impl MailboxEnd {
    /// Attaches. There is one engine at a time.
    #[must_use]
    pub fn attach(header: &'static MailboxHeader, store: Store) -> Self {
        Self { header, store }
    }

    /// The first word of a new engine: what the one before was filling when it died is nobody's.
    /// The waiter is told the reason number `reason`. True if there was one.
    pub fn clear(&self, reason: u32) -> bool {
        let word = self.header.word.load(Ordering::Relaxed);
        if word & STATE != FILLING {
            return false;
        }
        self.end(word, FAILED, reason);
        true
    }

    /// Puts `parts` in front of the waiter of `generation`.
    pub fn fill(&self, generation: u32, parts: &[&[u8]]) -> Delivery {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let len = match u32::try_from(bytes) {
            Ok(len) if bytes <= self.store.capacity() => len,
            _ => return Delivery::TooLarge,
        };
        if !self.claim(generation) {
            return Delivery::Late;
        }
        let mut at = 0;
        for part in parts {
            // SAFETY: FILLING gives the bytes to this end, and together the parts fit.
            unsafe { self.store.write(at, part) }
            at += part.len() as u64;
        }
        self.end(generation.wrapping_mul(GENERATION) | FILLING, FILLED, len);
        Delivery::Done
    }

    /// Tells the waiter of `generation` that there is no answer. False if it had given up.
    pub fn fail(&self, generation: u32, reason: u32) -> bool {
        let claimed = self.claim(generation);
        if claimed {
            self.end(
                generation.wrapping_mul(GENERATION) | FILLING,
                FAILED,
                reason,
            );
        }
        claimed
    }

    fn claim(&self, generation: u32) -> bool {
        let waiting = generation.wrapping_mul(GENERATION) | WAITING;
        let filling = generation.wrapping_mul(GENERATION) | FILLING;
        let claimed = self.header.word.compare_exchange(
            waiting,
            filling,
            // SYNC mailbox-empty
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        claimed.is_ok()
    }

    fn end(&self, filling: u32, state: u32, len: u32) {
        self.header.len.store(len, Ordering::Relaxed);
        // SYNC mailbox-filled: what was written is seen by who sees the state.
        self.header
            .word
            .store((filling & !STATE) | state, Ordering::Release);
        #[cfg(not(sipbus_loom))]
        waiting::wake(&self.header.word);
    }
}

#[cfg(not(sipbus_loom))]
mod waiting {
    use super::{Mailbox, Outcome, STATE, WAITING};
    use crate::primitive::{AtomicU32, Ordering};
    use rustix::thread::futex;
    use std::time::{Duration, Instant};

    /// How long to wait for an engine that is in the middle of filling: it copies a message.
    const FILLING_LIMIT: Duration = Duration::from_millis(50);

    /// How long to look for the answer before sleep. This process serves nobody else meanwhile, and a
    /// peer nearby has answered by then.
    const LOOK: Duration = Duration::from_micros(500);

    pub(super) fn wake(word: &AtomicU32) {
        // An error means that nobody waits.
        _ = futex::wake(word, futex::Flags::empty(), 1);
    }

    impl Mailbox {
        /// Blocks after [`open`](Self::open) until the engine has said something or until
        /// `deadline`; signals do not end it.
        pub fn wait(&mut self, deadline: Instant) -> Outcome {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut look = std::mem::take(&mut self.look);
            look.until(LOOK.min(left), || self.outcome().is_some());
            self.look = look;
            if let Some(outcome) = self.wait_until(deadline) {
                return outcome;
            }
            if let Some(outcome) = self.give_up() {
                return outcome;
            }
            let limit = Instant::now() + FILLING_LIMIT;
            self.wait_until(limit).unwrap_or(Outcome::Timeout)
        }

        fn wait_until(&mut self, deadline: Instant) -> Option<Outcome> {
            loop {
                let word = self.header.word.load(Ordering::Relaxed);
                if let Some(outcome) = self.outcome() {
                    return Some(outcome);
                }
                debug_assert!(word & STATE >= WAITING);
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                let left = left.try_into().ok();
                // Woken, moved, interrupted or timed out: the loop looks.
                _ = futex::wait(
                    &self.header.word,
                    futex::Flags::empty(),
                    word,
                    left.as_ref(),
                );
            }
        }
    }
}
