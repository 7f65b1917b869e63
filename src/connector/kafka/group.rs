//! A consumer's membership in its group: which partitions come and go.
//!
//! The library asks while it is polled, where nothing can be awaited: changes are noted there and obeyed
//! by the task that reads, when the records before them are handled.

use super::notice::Notices;
use super::session::{Watch, log};
use crate::primitive::{AtomicU8, Ordering};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{
    BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol, StreamConsumer,
};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// What a group wants of its member.
#[derive(Debug)]
pub(super) enum Change {
    /// To read these partitions.
    Assign(TopicPartitionList),
    /// To read these no more.
    Revoke(TopicPartitionList),
}

impl Change {
    /// Whether it takes a partition away.
    pub(super) fn revokes(&self, topic: &str, partition: i32) -> bool {
        match self {
            Self::Assign(_) => false,
            Self::Revoke(list) => list.find_partition(topic, partition).is_some(),
        }
    }

    /// Tells the library that it is done.
    pub(super) fn obey<C: ConsumerContext>(&self, consumer: &impl Consumer<C>) -> KafkaResult<()> {
        let cooperative = matches!(
            consumer.rebalance_protocol(),
            RebalanceProtocol::Cooperative
        );
        match self {
            Self::Assign(list) if cooperative => consumer.incremental_assign(list),
            Self::Assign(list) => consumer.assign(list),
            Self::Revoke(list) if cooperative => consumer.incremental_unassign(list),
            Self::Revoke(_) => consumer.unassign(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Member {
    watch: Watch,
    changes: Mutex<VecDeque<Change>>,
    /// Rung when there is a change.
    pub(super) changed: Notify,
    closing: AtomicU8,
}

impl Member {
    pub(super) fn new(notices: Notices, connection: usize) -> Self {
        Self {
            watch: Watch::new(notices, connection),
            changes: Mutex::new(VecDeque::new()),
            changed: Notify::new(),
            closing: AtomicU8::new(0),
        }
    }

    /// The next change to obey.
    pub(super) fn change(&self) -> Option<Change> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.pop_front()
    }
}

/// A consumer that can be dropped at any time: the library ends one only when changes are obeyed.
pub(super) struct Joined(pub(super) StreamConsumer<Context>);

impl Drop for Joined {
    fn drop(&mut self) {
        let member = &self.0.context().member;
        member.closing.store(1, Ordering::Relaxed);
        while let Some(change) = member.change() {
            if let Err(error) = change.obey(&self.0) {
                log::debug!("event_kafka: leaving a group: {error}");
            }
        }
    }
}

/// What the library calls.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) member: Member,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.member.watch.statistics(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.member.watch.error(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let change = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.member.watch.up();
            Change::Assign(list.clone())
        } else {
            Change::Revoke(list.clone())
        };
        if self.member.closing.load(Ordering::Relaxed) == 0 {
            let changes = self.member.changes.lock();
            changes
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(change);
            self.member.changed.notify_one();
        } else if let Err(error) = change.obey(consumer) {
            log::debug!("event_kafka: leaving a group: {error}");
        }
    }
}
