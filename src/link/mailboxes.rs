//! The mailboxes of all processes, where blocking calls wait for answers.

use crate::shm::mailbox::{Delivery, MailboxEnd};

/// The engine's ends, by process.
#[derive(Debug)]
pub struct Mailboxes {
    ends: Vec<MailboxEnd>,
}

impl Mailboxes {
    pub(super) fn new(ends: Vec<MailboxEnd>) -> Self {
        Self { ends }
    }

    /// To be called first: who was being answered when the engine before this one died is told the
    /// reason number `reason`.
    pub fn clear(&self, reason: u32) {
        for end in &self.ends {
            end.clear(reason);
        }
    }

    /// Puts an answer made of `parts` in front of `process`, if it still waits in `generation`.
    #[must_use]
    pub fn fill(&self, process: u32, generation: u32, parts: &[&[u8]]) -> Delivery {
        self.end(process)
            .map_or(Delivery::Late, |end| end.fill(generation, parts))
    }

    /// Tells `process` that there is no answer; false if it does not wait in `generation` any more.
    pub fn fail(&self, process: u32, generation: u32, reason: u32) -> bool {
        self.end(process)
            .is_some_and(|end| end.fail(generation, reason))
    }

    fn end(&self, process: u32) -> Option<&MailboxEnd> {
        self.ends.get(usize::try_from(process).ok()?)
    }
}
