//! The members of consumer groups: each is made, reads until it is of no use, leaves, and is made anew.

use super::group::Joined;
use super::notice::Notices;
use super::presence::Presence;
use super::reader::Reader;
use super::session::common;
use crate::kafka::consume::Consumer as Line;
use crate::kafka::property::find;
use crate::link::Inbound;
use rdkafka::config::ClientConfig;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The library's own is 45 s, for which nobody would read what a killed engine had been given.
const SESSION_TIMEOUT_MS: &str = "10000";

/// The library's own is 1 s, for which nothing is read although what was read ahead is long handled.
const FETCH_PAUSE_MS: &str = "20";

/// How long a consumer may take to leave its group.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

/// Pause before a consumer that failed for good is made anew.
const PAUSE: Duration = Duration::from_secs(5);

/// What a consumer is told. A group misses an engine that was killed when the session has timed out.
pub(super) fn config(line: &Line) -> ClientConfig {
    let mut config = common(&line.brokers, &line.properties);
    let given = |name| find(&line.properties, name).is_some();
    if !given("session.timeout.ms") && !given("group.protocol") {
        config.set("session.timeout.ms", SESSION_TIMEOUT_MS);
    }
    if !given("fetch.queue.backoff.ms") {
        config.set("fetch.queue.backoff.ms", FETCH_PAUSE_MS);
    }
    config
        .set("group.id", &line.group)
        .set("enable.auto.offset.store", "false");
    config
}

/// Where a consumer stands in the settings.
pub(super) struct Standing {
    pub(super) line: Line,
    /// Its number among the consumers.
    pub(super) index: u16,
    /// Its number among the connections.
    pub(super) connection: usize,
    /// Its line in the module's table.
    pub(super) row: usize,
}

/// Runs until the engine drains.
pub(super) async fn run(
    standing: Standing,
    presence: Rc<Presence>,
    notices: Notices,
    inbounds: Vec<Inbound>,
    (rings, renewals): (watch::Receiver<u64>, watch::Receiver<u64>),
    mut drain: watch::Receiver<bool>,
) {
    let mut reader = Reader::new(standing, Rc::clone(&presence), inbounds, rings, renewals);
    let mut renewed = None;
    while !*drain.borrow() {
        let joined = match renewed.take() {
            Some(consumer) => Ok(consumer),
            None => reader.open(&notices),
        };
        let end = match joined.and_then(|consumer| reader.join(consumer)) {
            Ok(consumer) => {
                let end = reader.serve(&consumer.0, &notices, &mut drain).await;
                reader.store(&consumer.0);
                leave(consumer).await;
                end
            }
            Err(why) => End::Failed(why),
        };
        reader.forget();
        let why = match end {
            End::Drained => return,
            End::Renewed(consumer) => {
                renewed = Some(*consumer);
                presence.renewed();
                continue;
            }
            End::Failed(why) => why,
        };
        presence.complained(&format!("{}: {why}", reader.title()));
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = drain.wait_for(|drain| *drain) => {}
        }
    }
}

/// Ends a consumer: it commits what was stored, leaves the group, and waits for both. One that has to
/// wait for long, for a group that is just being formed or a broker that is away, is left to itself.
async fn leave(consumer: Joined) {
    let (left, wait) = oneshot::channel();
    let leaving = std::thread::Builder::new()
        .name("kafka leaving".to_owned())
        .spawn(move || {
            drop(consumer);
            // Nobody may be waiting any more.
            _ = left.send(());
        });
    if leaving.is_ok() {
        drop(tokio::time::timeout(LEAVE_WAIT, wait).await);
    }
}

/// Why reading ended.
pub(super) enum End {
    /// The engine drains.
    Drained,
    /// This consumer is of no use any more.
    Failed(String),
    /// Another with new certificates goes on.
    Renewed(Box<Joined>),
}
