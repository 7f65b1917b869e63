//! Reads for one member of a consumer group: each record goes to the inbox of its partition's worker, and
//! its offset is stored when its route has ended.
//!
//! While a worker's inbox is full nothing is read, so the library stops fetching; nothing is dropped.

use super::consume::{End, Standing, config};
use super::group::{Change, Context, Joined, Member};
use super::notice::Notices;
use super::presence::Presence;
use super::session::explain;
use super::workers::Workers;
use crate::kafka::counter::{figure, slot};
use crate::link::Inbound;
use futures_util::stream::{Stream, StreamExt};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Records before other tasks have their turns.
const BATCH: usize = 256;

/// How long a member may take to be given its partitions, before one with new certificates takes its place: a group
/// takes those that leave in mid-join for members until their sessions time out.
const JOIN_WAIT: Duration = Duration::from_secs(10);

/// How long partitions that are taken away wait for the routes of their records.
const REVOKE_WAIT: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Reader {
    presence: Rc<Presence>,
    workers: Workers,
    rings: watch::Receiver<u64>,
    renewals: watch::Receiver<u64>,
    received: u64,
    handled: u64,
    /// What was complained about last, which is not repeated.
    complaint: Option<RDKafkaErrorCode>,
    standing: Standing,
}

impl Reader {
    /// One with an inbox for each of its workers.
    pub(super) fn new(
        standing: Standing,
        presence: Rc<Presence>,
        inbounds: Vec<Inbound>,
        rings: watch::Receiver<u64>,
        renewals: watch::Receiver<u64>,
    ) -> Self {
        // What was not handled under an engine that died is received again.
        let handled = presence.shown(standing.row, figure::DELIVERED);
        Self {
            presence,
            workers: Workers::new(inbounds),
            rings,
            renewals,
            received: handled,
            handled,
            complaint: None,
            standing,
        }
    }

    /// What it is called in the log.
    pub(super) fn title(&self) -> String {
        format!("consumer group {}", self.standing.line.group)
    }

    /// A consumer with the certificates of today, which is no member yet.
    pub(super) fn open(&mut self, notices: &Notices) -> Result<Joined, String> {
        self.renewals.mark_unchanged();
        let member = Member::new(notices.clone(), self.standing.connection);
        let consumer: StreamConsumer<Context> = config(&self.standing.line)
            .create_with_context(Context { member })
            .map_err(|error| explain(&error))?;
        Ok(Joined(consumer))
    }

    /// Makes it a member of its group.
    pub(super) fn join(&self, consumer: Joined) -> Result<Joined, String> {
        let topics: Vec<&str> = self
            .standing
            .line
            .topics
            .iter()
            .map(String::as_str)
            .collect();
        let subscribed = consumer.0.subscribe(&topics);
        subscribed.map_err(|error| explain(&error))?;
        Ok(consumer)
    }

    /// Reads until the engine drains or the consumer is of no use any more.
    pub(super) async fn serve(
        &mut self,
        consumer: &StreamConsumer<Context>,
        notices: &Notices,
        drain: &mut watch::Receiver<bool>,
    ) -> End {
        let mut stream = consumer.stream();
        let mut joins_until = Instant::now() + JOIN_WAIT;
        loop {
            let mut count = 0;
            while count < BATCH
                && let Some(record) = ready(&mut stream).await
            {
                count += 1;
                if let Err(end) = self.take(record, drain).await {
                    return end;
                }
            }
            self.workers.deliver();
            self.store(consumer);
            while let Some(change) = consumer.context().member.change() {
                // What takes partitions away has the member join again.
                let again = match &change {
                    Change::Assign(_) => Duration::ZERO,
                    Change::Revoke(_) => JOIN_WAIT,
                };
                self.rebalance(consumer, change).await;
                joins_until = Instant::now() + again;
            }
            if count == BATCH {
                tokio::task::yield_now().await;
                continue;
            }
            self.ask();
            let changed = consumer.context().member.changed.notified();
            let record = tokio::select! {
                record = stream.next() => record,
                () = changed => None,
                _ = self.rings.changed() => None,
                Ok(()) = renewal(&mut self.renewals, joins_until) => {
                    match self.open(notices) {
                        Ok(renewed) => {
                            // What is not handled in time is read again.
                            let finish = self.finish(consumer, None);
                            _ = tokio::time::timeout(REVOKE_WAIT, finish).await;
                            return End::Renewed(Box::new(renewed));
                        }
                        Err(why) => self.presence.not_renewed(&why),
                    }
                    None
                }
                _ = drain.wait_for(|drain| *drain) => return End::Drained,
            };
            if let Some(record) = record
                && let Err(end) = self.take(record, drain).await
            {
                return end;
            }
        }
    }

    /// Puts a record into its worker's inbox, when there is room.
    async fn take(
        &mut self,
        record: Result<BorrowedMessage<'_>, KafkaError>,
        drain: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        let record = match record {
            Ok(record) => record,
            Err(error) => return self.complain(&error),
        };
        if !self
            .workers
            .put(self.standing.index, &record, drain)
            .await?
        {
            log::error!(
                "{}: a record of {} is over inbox_size: left out",
                self.presence.module(),
                record.topic()
            );
        }
        self.received += 1;
        Ok(())
    }

    fn complain(&mut self, error: &KafkaError) -> Result<(), End> {
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(End::Failed(explain(error)));
        }
        let code = error.rdkafka_error_code();
        let lost = [
            Some(RDKafkaErrorCode::AllBrokersDown),
            Some(RDKafkaErrorCode::BrokerTransportFailure),
            Some(RDKafkaErrorCode::Resolve),
        ];
        if code != self.complaint && !lost.contains(&code) {
            let why = format!("{}: {}", self.title(), explain(error));
            self.presence.complained(&why);
            self.complaint = code;
        }
        Ok(())
    }

    /// Stores the offsets of what was handled; the library commits them.
    pub(super) fn store(&mut self, consumer: &StreamConsumer<Context>) {
        self.handled += self.workers.settle(|part, offset| {
            if let Err(error) = consumer.store_offset(&part.topic, part.partition, offset) {
                // It was taken away meanwhile: its next owner reads again.
                log::debug!("{} {}: {error}", part.topic, part.partition);
            }
        });
        let row = self.standing.row;
        self.presence.figure(row, figure::TAKEN, self.received);
        self.presence.figure(row, figure::DELIVERED, self.handled);
    }

    /// What is not stored by now is read again.
    pub(super) fn forget(&mut self) {
        self.workers.forget();
    }

    /// Asks the workers to ring when they have handled some more.
    fn ask(&mut self) {
        if !self.workers.ask() {
            self.rings.mark_changed();
        }
    }

    async fn rebalance(&mut self, consumer: &StreamConsumer<Context>, change: Change) {
        self.presence.board().count(slot::REBALANCES, 1);
        let wait = tokio::time::timeout(REVOKE_WAIT, self.finish(consumer, Some(&change)));
        if wait.await.is_err() {
            log::warn!(
                "{}: {}: routes run for longer than {REVOKE_WAIT:?}: their records will be read again by others",
                self.presence.module(),
                self.title()
            );
        }
        if let Err(error) = change.obey(consumer) {
            let module = self.presence.module();
            log::error!("{module}: {}: {}", self.title(), explain(&error));
        }
    }

    /// Waits until the records of partitions that are taken away, or all, are handled, and stores how far.
    async fn finish(&mut self, consumer: &StreamConsumer<Context>, change: Option<&Change>) {
        loop {
            self.store(consumer);
            if !self.workers.are_busy(change) {
                return;
            }
            self.ask();
            if self.rings.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The next call for new certificates, not before a moment.
async fn renewal(
    renewals: &mut watch::Receiver<u64>,
    earliest: Instant,
) -> Result<(), watch::error::RecvError> {
    sleep_until(earliest).await;
    renewals.changed().await
}

/// The next record if it is there, without waiting.
async fn ready<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| match Pin::new(&mut *stream).poll_next(cx) {
        Poll::Ready(record) => Poll::Ready(record),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
