//! Operators ask a connector to read its certificates again.

use crate::shm::layout::Module;
use tokio::sync::watch;

/// A module's questions.
#[derive(Debug)]
pub struct Renewal {
    module: &'static Module,
    rings: watch::Receiver<u64>,
}

impl Renewal {
    pub(super) fn new(module: &'static Module, rings: watch::Receiver<u64>) -> Self {
        Self { module, rings }
    }

    /// Waits until somebody asks: the number of the question.
    pub async fn asked(&mut self) -> u32 {
        loop {
            self.rings.mark_unchanged();
            if let Some(number) = self.module.renewal.open() {
                return number;
            }
            if self.rings.changed().await.is_err() {
                // Nobody rings any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Answers it, with what is wrong or nothing.
    pub fn answer(&self, number: u32, mistake: &str) {
        self.module.renewal.answer(number, mistake);
    }
}
