//! What an independent client has received, whichever server it listens to.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use crate::wait;

/// The messages so far. A task of the client's adds to them.
pub(crate) struct Arrived<T>(Arc<Mutex<Vec<T>>>);

impl<T> Arrived<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl<T: Clone + Debug + Send + 'static> Arrived<T> {
    /// Keeps each message that it is given.
    pub(crate) fn keeper(&self) -> impl FnMut(T) + Send + 'static {
        let keep = Arc::clone(&self.0);
        move |message| keep.lock().unwrap().push(message)
    }

    pub(crate) fn messages(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for at least `count` messages, and returns all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<T> {
        wait::until(&format!("{count} messages arrived"), || {
            self.count() >= count
        });
        self.messages()
    }

    /// Waits for exactly one message: when one is there, `settle` lets others on their way arrive.
    pub(crate) fn only(&self, settle: impl FnOnce()) -> T {
        let mut messages = self.wait_for(1);
        settle();
        let all = self.messages();
        assert_eq!(all.len(), 1, "one message was expected: {all:?}");
        messages.remove(0)
    }
}
