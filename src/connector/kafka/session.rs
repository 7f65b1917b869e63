//! What the library's clients of both kinds have in common: what they are told, and what they tell.

use super::notice::{Figures, Notices, What};
use crate::kafka::property::{Property, is_secret};
use crate::primitive::{AtomicU8, Ordering};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

/// How often the library counts its messages and tells round-trip times.
const STATISTICS_INTERVAL_MS: &str = "5000";

/// What both kinds of clients are told.
pub(super) fn common(brokers: &str, properties: &[Property]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "sipbus")
        .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
        .set_log_level(RDKafkaLogLevel::Notice);
    for property in properties {
        config.set(&property.name, &property.value);
    }
    config
}

/// A library's error as a sentence without secrets.
pub(super) fn explain(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) if is_secret(name) => {
            format!("{name}: the library does not take this value")
        }
        KafkaError::ClientConfig(_, why, name, _) => format!("{name}: {why}"),
        KafkaError::ClientCreation(why) => why.clone(),
        error => match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        },
    }
}

/// Whether a broker answers.
const NEVER: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;
/// As [`NEVER`], and there was none since the last look.
const MISSED: u8 = 3;

/// Whether a broker answers, as clients of both kinds find out.
#[derive(Debug)]
pub(super) struct Watch {
    notices: Notices,
    connection: usize,
    state: AtomicU8,
}

impl Watch {
    pub(super) fn new(notices: Notices, connection: usize) -> Self {
        Self {
            notices,
            connection,
            state: AtomicU8::new(NEVER),
        }
    }

    pub(super) fn up(&self) {
        if self.state.swap(UP, Ordering::Relaxed) != UP {
            self.notices.tell(self.connection, What::Up);
        }
    }

    /// True as long as none was up.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), NEVER | MISSED)
    }

    /// One that is new has looked whether a broker has described its cluster at some time. If there was none
    /// meanwhile, the next delivery or the next statistics tell whether there is one.
    pub(super) fn looked(&self, described: bool) {
        let order = Ordering::Relaxed;
        let turn = |from, to| self.state.compare_exchange(from, to, order, order).is_ok();
        if !turn(MISSED, if described { DOWN } else { NEVER }) && described && turn(NEVER, UP) {
            self.notices.tell(self.connection, What::Up);
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let why = reason.to_owned();
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            let down = |state: u8| {
                Some(if state == NEVER {
                    MISSED
                } else {
                    state.max(DOWN)
                })
            };
            let order = Ordering::Relaxed;
            _ = self.state.fetch_update(order, order, down);
            self.notices.tell(self.connection, What::Down(why));
        } else {
            self.notices.tell(self.connection, What::Trouble(why));
        }
    }

    pub(super) fn statistics(&self, statistics: &Statistics) {
        if statistics
            .brokers
            .values()
            .any(|broker| broker.state == "UP")
        {
            self.up();
        }
        let in_flight = statistics.brokers.values().map(|broker| {
            // The library says -1 for what it does not know.
            u64::try_from(broker.waitresp_msg_cnt + broker.outbuf_msg_cnt).unwrap_or(0)
        });
        let in_flight: u64 = in_flight.sum();
        let round_trips = statistics.brokers.values().filter_map(|b| b.rtt.as_ref());
        let round_trip = round_trips
            .filter(|rtt| rtt.cnt > 0)
            .map(|rtt| rtt.avg)
            .max();
        let figures = Figures {
            queued: statistics.msg_cnt.saturating_sub(in_flight),
            in_flight,
            round_trip_us: u64::try_from(round_trip.unwrap_or(0)).unwrap_or(0),
        };
        self.notices.tell(self.connection, What::Figures(figures));
    }
}

/// The library's log lines: what matters of them comes as errors, too, and once.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    log::debug!("librdkafka: {level:?} {facility} {text}");
}
