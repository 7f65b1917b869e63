//! A process's lane of one module with what every publishing function does around it: counting,
//! the size check, and one log line when refusing begins and one when it ends.

use super::instance;
use crate::host::{Level, log};
use crate::module::submitted;
use crate::shm::lane::{Lane, Refusal};
use crate::shm::layout::Module;
use std::cell::RefCell;
use std::ffi::c_int;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    name: &'static str,
    process: usize,
    lane: Lane,
    shared: &'static Module,
    message_bytes_max: usize,
    /// Frames refused since the last accepted one.
    refused: u64,
}

/// A module's place for the outbox of the calling process, attached at the first call.
#[derive(Debug)]
pub(super) struct Slot {
    name: &'static str,
    outbox: RefCell<Option<Outbox>>,
}

impl Slot {
    /// For module `name`.
    pub(super) const fn new(name: &'static str) -> Self {
        let outbox = RefCell::new(None);
        Self { name, outbox }
    }

    /// Calls `body` with the outbox of `process`, the calling one; -1 before sipbus_create.
    pub(super) fn with(&self, process: u32, body: impl FnOnce(&mut Outbox) -> c_int) -> c_int {
        let process = process as usize;
        let mut slot = self.outbox.borrow_mut();
        // A fork inherits its parent's, and must attach its own.
        if slot.as_ref().is_none_or(|outbox| outbox.process != process) {
            *slot = Outbox::attach(self.name, process);
        }
        match slot.as_mut() {
            Some(outbox) => body(outbox),
            None => {
                let name = self.name;
                let text = format!("{name}: nothing can be sent before the processes start");
                log(Level::Error, &text);
                -1
            }
        }
    }
}

impl Outbox {
    /// Attaches the calling process to its lane of module `name`. None before sipbus_create.
    fn attach(name: &'static str, process: usize) -> Option<Self> {
        let instance = instance::get()?;
        let index = instance.index(name)?;
        let common = &instance.modules.get(index)?.common;
        let waker = instance.wakers.get(index)?;
        let wait = Duration::from_millis(common.queue_full_wait_ms);
        let lane = Lane::attach(instance.region, index, process, waker, wait)?;
        let shared = instance.region.module(index);
        let message_bytes_max = common.message_bytes_max;
        Some(Self {
            name,
            process,
            lane,
            shared,
            message_bytes_max,
            refused: 0,
        })
    }

    /// Counts a call.
    pub(super) fn called(&self) {
        self.count(submitted::PUBLISHED);
    }

    /// Counts and logs a call with an argument that cannot be used.
    #[cold]
    pub(super) fn invalid(&self, why: &str) {
        self.count(submitted::INVALID);
        log(Level::Error, &format!("{}: {why}", self.name));
    }

    /// True if a payload of `bytes` may be sent; else it is counted and logged.
    pub(super) fn accepts(&self, bytes: usize) -> bool {
        // What the peer said when it connected; 0 before.
        let peer = usize::try_from(self.shared.message_bytes_max.value()).unwrap_or(usize::MAX);
        let peer_max = if peer == 0 { usize::MAX } else { peer };
        if bytes <= self.message_bytes_max.min(peer_max) {
            return true;
        }
        self.oversized(bytes, peer_max);
        false
    }

    #[cold]
    fn oversized(&self, bytes: usize, peer_max: usize) {
        self.count(submitted::OVERSIZED);
        let (max, whose) = if self.message_bytes_max <= peer_max {
            (self.message_bytes_max, "message_size_max")
        } else {
            (peer_max, "the server's limit")
        };
        let name = self.name;
        log(
            Level::Error,
            &format!("{name}: a message of {bytes} bytes is over {whose} of {max}; not published"),
        );
    }

    /// Hands a frame over; true if it was accepted. Blocks by the lane's rule only.
    pub(super) fn submit(&mut self, parts: &[&[u8]]) -> bool {
        match self.lane.submit(parts) {
            Ok(()) => {
                self.count(submitted::ACCEPTED);
                if self.refused > 0 {
                    self.accepted_again();
                }
                true
            }
            Err(refusal) => {
                self.refuse(refusal);
                false
            }
        }
    }

    #[cold]
    fn accepted_again(&mut self) {
        let (name, refused) = (self.name, std::mem::take(&mut self.refused));
        log(
            Level::Notice,
            &format!("{name}: accepting messages again after {refused} refused"),
        );
    }

    #[cold]
    fn refuse(&mut self, refusal: Refusal) {
        let (slot, why) = match refusal {
            Refusal::Full => (
                submitted::FULL,
                "the queue of this process is full and the server takes nothing",
            ),
            Refusal::TooLarge => (
                submitted::OVERSIZED,
                "the message is larger than queue_size",
            ),
            Refusal::Closed => (submitted::STOPPING, "Kamailio is stopping"),
        };
        self.count(slot);
        self.refused += 1;
        if self.refused == 1 {
            log(
                Level::Warning,
                &format!("{}: refusing messages: {why}", self.name),
            );
        }
    }

    /// Hands over what is for the connector itself and counts nowhere.
    pub(super) fn order(&mut self, parts: &[&[u8]]) -> Result<(), Refusal> {
        self.lane.submit(parts)
    }

    /// Adds one to a counter of this process.
    pub(super) fn count(&self, slot: usize) {
        self.lane.count(slot, 1);
    }
}
