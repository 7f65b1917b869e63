//! What the library's threads tell about connections.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use tokio::sync::Notify;

/// More than half of this at a time are no news, unless they are about up and down.
const NOTICES_MAX: usize = 256;

/// About one connection.
#[derive(Debug)]
pub(super) struct Notice {
    /// Its number.
    pub(super) connection: usize,
    pub(super) what: What,
}

/// See [`Notice`].
#[derive(Debug)]
pub(super) enum What {
    /// A broker answers.
    Up,
    /// No broker does.
    Down(String),
    /// Something is wrong, which may or may not matter.
    Trouble(String),
    /// The library's own figures.
    Figures(Figures),
}

/// See [`What::Figures`].
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) queued: u64,
    pub(super) in_flight: u64,
    pub(super) round_trip_us: u64,
}

/// The way of notices to the connector's task.
#[derive(Debug, Clone)]
pub(super) struct Notices {
    sender: Sender<Notice>,
    rung: Arc<Notify>,
}

/// Its other end.
#[derive(Debug)]
pub(super) struct Noticed {
    pub(super) receiver: Receiver<Notice>,
    pub(super) rung: Arc<Notify>,
}

/// Both ends.
pub(super) fn channel() -> (Notices, Noticed) {
    let (sender, receiver) = bounded(NOTICES_MAX);
    let rung = Arc::new(Notify::new());
    let notices = Notices {
        sender,
        rung: Arc::clone(&rung),
    };
    (notices, Noticed { receiver, rung })
}

impl Notices {
    /// Tells; in a flood of notices the latest are left out. Up and down are told once each, so there is
    /// room kept for them.
    pub(super) fn tell(&self, connection: usize, what: What) {
        let is_change = matches!(what, What::Up | What::Down(_));
        if is_change || self.sender.len() < NOTICES_MAX / 2 {
            drop(self.sender.try_send(Notice { connection, what }));
        }
        self.rung.notify_one();
    }
}
