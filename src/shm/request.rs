//! What operators ask of a connector while it runs, and what it answers.
//!
//! Any process moves `asked` and waits; the engine answers for all that was asked up to a number. Who
//! asks while another does gets an answer that is no older than the question.

use super::text::Text;
use crate::primitive::{AtomicU32, Ordering};

/// Bytes of the longest mistake. The model has only what it needs.
const MISTAKE_BYTES: usize = if cfg!(sipbus_loom) { 1 } else { 512 };

/// The shared words.
#[repr(C)]
#[derive(Debug)]
pub struct Request {
    /// The number of the last question.
    asked: AtomicU32,
    /// The last number that was answered; what a futex waits on. Written by the engine.
    answered: AtomicU32,
    /// What was wrong; empty for nothing. Written by the engine.
    mistake: Text<MISTAKE_BYTES>,
}

impl Request {
    /// Where nobody asked, for the model.
    #[cfg(sipbus_loom)]
    #[must_use]
    pub fn model() -> Self {
        Self {
            asked: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            mistake: Text::model(),
        }
    }

    /// Asks; the caller wakes the engine, and [waits](Self::wait) for the number's answer.
    pub fn ask(&self) -> u32 {
        // Release and Acquire, here and below: what the asker did before is seen by the engine.
        self.asked.fetch_add(1, Ordering::Release).wrapping_add(1)
    }

    /// The answer to `number`: what was wrong, empty for nothing.
    ///
    /// # Errors
    /// The last number that was answered, if this one is not.
    pub fn answer_to(&self, number: u32) -> Result<String, u32> {
        let answered = self.answered.load(Ordering::Acquire);
        if answered.wrapping_sub(number).cast_signed() >= 0 {
            Ok(self.mistake.value())
        } else {
            Err(answered)
        }
    }

    /// The number of a question that is not answered yet. For the engine.
    #[must_use]
    pub fn open(&self) -> Option<u32> {
        let asked = self.asked.load(Ordering::Acquire);
        (asked != self.answered.load(Ordering::Relaxed)).then_some(asked)
    }

    /// Answers all questions up to `number`. For the engine.
    pub fn answer(&self, number: u32, mistake: &str) {
        self.mistake.set(mistake);
        self.answered.store(number, Ordering::Release);
        #[cfg(not(sipbus_loom))]
        waiting::wake(&self.answered);
    }
}

#[cfg(not(sipbus_loom))]
mod waiting {
    use super::Request;
    use crate::primitive::AtomicU32;
    use rustix::thread::futex;
    use std::time::Instant;

    pub(super) fn wake(answered: &AtomicU32) {
        // An error means that nobody waits.
        _ = futex::wake(answered, futex::Flags::empty(), u32::MAX >> 1);
    }

    impl Request {
        /// Blocks until `number` is answered or until `deadline`: what was wrong, empty for nothing.
        /// None if no answer came.
        pub fn wait(&self, number: u32, deadline: Instant) -> Option<String> {
            loop {
                let answered = match self.answer_to(number) {
                    Ok(mistake) => return Some(mistake),
                    Err(answered) => answered,
                };
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                let left = left.try_into().ok();
                // Woken, moved, interrupted or timed out: the loop looks.
                _ = futex::wait(
                    &self.answered,
                    futex::Flags::empty(),
                    answered,
                    left.as_ref(),
                );
            }
        }
    }
}
