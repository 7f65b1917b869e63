//! The event workers of a member of a consumer group, and the records that each has before it.

use super::consume::End;
use super::group::Change;
use super::parts::{Part, Parts};
use crate::frame::kafka::{EVENT_OVERHEAD, Event, Place};
use crate::kafka::header;
use crate::link::Inbound;
use crate::module::arrived;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use std::collections::VecDeque;
use tokio::sync::watch;

/// Events that a worker has handled before the engine asks again, if there are so many.
const NOTICE_EVENTS: usize = 256;

/// An event worker and what it has before it.
struct Worker {
    inbound: Inbound,
    pending: VecDeque<Pending>,
}

/// A record in an inbox, with those left out behind it.
struct Pending {
    /// The place behind it.
    position: u64,
    part: usize,
    /// The last one's.
    offset: i64,
    records: u64,
}

impl Worker {
    /// Notes a record that was put into the inbox, or left out: that is handled when those before it are.
    fn note(&mut self, part: usize, offset: i64, staged: bool) {
        let position = self.inbound.position();
        let latest = self.pending.iter_mut().rev();
        let same = latest
            .take_while(|before| before.position == position)
            .find(|before| before.part == part);
        // What is left out takes no room before a worker that is stuck: there may be any number of it.
        match same {
            Some(before) if !staged => {
                before.offset = offset;
                before.records += 1;
            }
            _ => self.pending.push_back(Pending {
                position,
                part,
                offset,
                records: 1,
            }),
        }
    }
}

/// See the module.
pub(super) struct Workers {
    workers: Vec<Worker>,
    parts: Parts,
    /// A record's headers, as they are in its event.
    block: Vec<u8>,
}

impl Workers {
    /// With nothing before them.
    pub(super) fn new(inbounds: Vec<Inbound>) -> Self {
        let workers = inbounds.into_iter().map(|inbound| Worker {
            inbound,
            pending: VecDeque::new(),
        });
        Self {
            workers: workers.collect(),
            parts: Parts::default(),
            block: Vec::new(),
        }
    }

    /// Puts a record of consumer number `consumer` into its worker's inbox, when there is room. False if there
    /// never is.
    ///
    /// # Errors
    /// The engine drains.
    pub(super) async fn put(
        &mut self,
        consumer: u16,
        record: &BorrowedMessage<'_>,
        drain: &mut watch::Receiver<bool>,
    ) -> Result<bool, End> {
        let (topic, partition) = (record.topic(), record.partition());
        let part = self.parts.number(topic, partition, self.workers.len());
        self.block.clear();
        for header in record.headers().iter().flat_map(|headers| headers.iter()) {
            header::push(&mut self.block, header.key.as_bytes(), header.value);
        }
        let event = Event::Message {
            consumer,
            place: Place {
                partition,
                offset: record.offset(),
            },
            topic: topic.as_bytes(),
            key: record.key(),
            headers: &self.block,
            payload: record.payload().unwrap_or_default(),
        };
        let worker = self.parts.get(part).map_or(0, |part| part.worker);
        let Some(worker) = self.workers.get_mut(worker) else {
            return Ok(true);
        };
        let inbound = &mut worker.inbound;
        let mut staged = event.write(|parts| inbound.try_stage(parts)) == Ok(true);
        if !staged {
            let bytes = EVENT_OVERHEAD
                + topic.len()
                + record.key_len()
                + self.block.len()
                + record.payload_len();
            let room = tokio::select! {
                room = inbound.room_for(bytes) => room.is_ok(),
                _ = drain.wait_for(|drain| *drain) => return Err(End::Drained),
            };
            staged = room && event.write(|parts| inbound.try_stage(parts)) == Ok(true);
        }
        let slot = if staged {
            arrived::RECEIVED
        } else {
            arrived::OVERSIZED
        };
        inbound.count(slot, 1);
        worker.note(part, record.offset(), staged);
        Ok(staged)
    }

    /// Shows them what was put before them.
    pub(super) fn deliver(&mut self) {
        self.workers.iter_mut().for_each(|w| w.inbound.deliver());
    }

    /// How many records they have handled since the last time. Calls `store` with each partition that these are
    /// of, and the last one's offset.
    pub(super) fn settle(&mut self, store: impl FnMut(&Part, i64)) -> u64 {
        let mut count = 0;
        for Worker { inbound, pending } in &mut self.workers {
            let handled = inbound.handled();
            while let Some(done) = pending.front()
                && done.position <= handled
            {
                self.parts.note(done.part, done.offset);
                count += done.records;
                pending.pop_front();
            }
        }
        if count > 0 {
            self.parts.take(store);
        }
        count
    }

    /// Asks them to ring when they have handled some more. False if they have done so meanwhile: nobody
    /// will ring for it.
    pub(super) fn ask(&mut self) -> bool {
        for Worker { inbound, pending } in &mut self.workers {
            let next = pending.get(NOTICE_EVENTS).or(pending.back());
            if let Some(next) = next {
                inbound.want_handled(next.position);
            }
        }
        let handled = |worker: &Worker| {
            let next = worker.pending.front();
            next.is_some_and(|next| next.position <= worker.inbound.handled())
        };
        !self.workers.iter().any(handled)
    }

    /// Whether they have records before them, of partitions that a change takes away, or any.
    pub(super) fn are_busy(&self, change: Option<&Change>) -> bool {
        let counts = |pending: &Pending| {
            let part = self.parts.get(pending.part);
            let revokes = |change: &Change| {
                part.is_some_and(|part| change.revokes(&part.topic, part.partition))
            };
            change.is_none_or(revokes)
        };
        self.workers.iter().any(|w| w.pending.iter().any(counts))
    }

    /// What is before them counts no more.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
        self.workers.iter_mut().for_each(|w| w.pending.clear());
    }
}
