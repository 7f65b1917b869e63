//! What is known of one server's exchanges. A message for one that is not there makes the server close
//! the channel; it does not say which message that was, so all that were on their way would be sent
//! again. So each exchange is asked for before its first message, on a channel of its own.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long an exchange that was not there is taken for missing without being asked for again.
const MISSING_PAUSE: Duration = Duration::from_millis(100);

/// Names that are kept. A script that makes up more than that has them asked for anew.
const NAMES_MAX: usize = 1024;

/// What is to be done with a message for an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// It can be sent.
    Free,
    /// The server refused one for this exchange: it is sent while no other is on its way.
    Alone,
    /// It waits until the server has said whether there is such an exchange.
    Wait,
    /// There is no such exchange.
    Closed,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    There,
    MissingUntil(Instant),
    /// It is there, but not every message for it is taken: who publishes lacks the permission.
    Doubtful,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    known: HashMap<Vec<u8>, Standing>,
    /// The exchange of the last message that was sent, and whether the next one for it is as free.
    last: Vec<u8>,
    last_is_free: bool,
    wanted: Option<Vec<u8>>,
    /// What was said: exchanges that are missing, and other reasons.
    told: HashSet<Vec<u8>>,
}

impl Exchanges {
    /// For a message to `name`. Where it waits, [`take_wanted`](Self::take_wanted) has what to ask for.
    pub(super) fn passage(&mut self, name: &[u8]) -> Passage {
        if self.last_is_free && self.last == name {
            return Passage::Free;
        }
        let passage = match self.known.get(name) {
            // The nameless one is always there, and cannot be asked for.
            _ if name.is_empty() => Passage::Free,
            Some(Standing::There) => Passage::Free,
            Some(Standing::Doubtful) => Passage::Alone,
            Some(Standing::MissingUntil(until)) if Instant::now() < *until => Passage::Closed,
            _ => Passage::Wait,
        };
        match passage {
            Passage::Wait => self.wanted = Some(name.to_vec()),
            Passage::Free => self.sends(name, true),
            Passage::Alone | Passage::Closed => {}
        }
        passage
    }

    /// A message for `name` is sent alone.
    pub(super) fn sends_alone(&mut self, name: &[u8]) {
        self.sends(name, false);
    }

    fn sends(&mut self, name: &[u8], is_free: bool) {
        self.last.clear();
        self.last.extend_from_slice(name);
        self.last_is_free = is_free;
    }

    /// The exchange that the server is to be asked for, once.
    pub(super) fn take_wanted(&mut self) -> Option<Vec<u8>> {
        self.wanted.take()
    }

    /// It is there.
    pub(super) fn found(&mut self, name: Vec<u8>) {
        self.told.remove(&name);
        self.note(name, Standing::There);
    }

    /// It is not there. True if that is to be said: it is news.
    pub(super) fn missed(&mut self, name: Vec<u8>) -> bool {
        let news = self.told.insert(name.clone());
        self.note(name, Standing::MissingUntil(Instant::now() + MISSING_PAUSE));
        news
    }

    /// The message that was sent last was refused.
    pub(super) fn doubt_last(&mut self) {
        let name = std::mem::take(&mut self.last);
        self.last_is_free = false;
        self.note(name, Standing::Doubtful);
    }

    /// True if `why` is to be said: it is news.
    pub(super) fn is_news(&mut self, why: &str) -> bool {
        self.told.insert(why.as_bytes().to_vec())
    }

    fn note(&mut self, name: Vec<u8>, standing: Standing) {
        if self.known.len() >= NAMES_MAX && !self.known.contains_key(&name) {
            self.known.clear();
        }
        if self.told.len() >= NAMES_MAX {
            self.told.clear();
        }
        self.known.insert(name, standing);
    }

    /// The server did not like one of several messages: an exchange may have gone.
    pub(super) fn forget_found(&mut self) {
        self.last_is_free = false;
        self.known
            .retain(|_, standing| !matches!(standing, Standing::There));
    }

    /// The connection is gone: all may be different with the next one.
    pub(super) fn forget(&mut self) {
        self.last_is_free = false;
        self.wanted = None;
        self.known.clear();
    }
}
