//! The partitions of a consumer, and how far each was handled.

/// A partition that was assigned at some time.
pub(super) struct Part {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) worker: usize,
    /// The last record handled, until it is stored.
    pub(super) handled: Option<i64>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// The part of the record before: often that of the next.
    latest: usize,
}

impl Parts {
    /// The number of a partition, which keeps its worker, one of so many, for ever.
    pub(super) fn number(&mut self, topic: &str, partition: i32, workers: usize) -> usize {
        let is = |part: &Part| part.partition == partition && part.topic == topic;
        if self.parts.get(self.latest).is_some_and(is) {
            return self.latest;
        }
        let known = self.parts.iter().position(is);
        self.latest = known.unwrap_or_else(|| {
            let name: usize = topic.bytes().map(usize::from).sum();
            let number = usize::try_from(partition).unwrap_or(0);
            self.parts.push(Part {
                topic: topic.to_owned(),
                partition,
                worker: (name + number) % workers.max(1),
                handled: None,
            });
            self.parts.len() - 1
        });
        self.latest
    }

    /// The partition with that number.
    pub(super) fn get(&self, number: usize) -> Option<&Part> {
        self.parts.get(number)
    }

    /// Notes the last record handled of a partition.
    pub(super) fn note(&mut self, number: usize, offset: i64) {
        if let Some(part) = self.parts.get_mut(number) {
            part.handled = Some(offset);
        }
    }

    /// Calls `store` with each partition of which something was noted since the last time, and that offset.
    pub(super) fn take(&mut self, mut store: impl FnMut(&Part, i64)) {
        for part in &mut self.parts {
            if let Some(offset) = part.handled.take() {
                store(part, offset);
            }
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.parts.clear();
    }
}
