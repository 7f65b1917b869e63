use super::check::check;
use super::ledger::{Ledger, Ticket};
use super::notice::{self, What};
use super::session::Watch;
use crate::config::{Given, Value};
use crate::kafka::settings::Settings;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Arc;
use tokio::sync::Notify;

#[test]
fn a_ticket_survives_the_way_through_the_library() {
    for report in [None, Some(0), Some(7), Some(u32::MAX - 1)] {
        for (page, row) in [(0, 0), (u16::MAX, u16::MAX), (1, 513)] {
            let ticket = Ticket { page, row, report };
            assert_eq!(Ticket::decode(ticket.encode()), ticket);
        }
    }
}

#[test]
fn a_page_is_done_when_each_of_its_messages_is_settled() {
    let (outcomes, _told) = crossbeam_channel::unbounded();
    let (notices, _noticed) = notice::channel();
    let tallies = Arc::from(Vec::new());
    let (ledger, done) = Ledger::open(tallies, outcomes, Arc::new(Notify::new()), notices);
    let ticket = Ticket {
        page: 3,
        row: 0,
        report: None,
    };
    ledger.begin(3);
    ledger.note(ticket);
    ledger.note(ticket);
    ledger.settle(3, true);
    ledger.settle(3, false);
    assert!(done.try_recv().is_err(), "the page is not full yet");
    ledger.settle(3, false);
    assert_eq!(done.try_recv(), Ok(3));
    assert_eq!(ledger.failed(3), 1);
    ledger.begin(3);
    assert_eq!(ledger.failed(3), 0);
}

fn mistakes(lines: &[(&str, &str)]) -> Vec<String> {
    let mut given = Given::default();
    for (name, text) in lines {
        given.add(name, Value::Text((*text).to_owned()));
    }
    let settings = Settings::event_kafka(&given).unwrap();
    check(serde_json::to_value(settings).unwrap())
}

#[test]
fn the_library_says_what_it_does_not_take() {
    assert_eq!(
        mistakes(&[
            (
                "broker_id",
                "[a]127.0.0.1:1/t?g.linger.ms=5&t.acks=1&g.compression.codec=zstd"
            ),
            ("consume", "brokers=127.0.0.1:1;group=g;topics=t"),
        ]),
        Vec::<String>::new()
    );
    let said = mistakes(&[
        ("broker_id", "[a]h/t?g.linger.sm=5"),
        ("broker_id", "[b]h/t?g.linger.ms=soon"),
        ("broker_id", "[c]h/t?g.enable.idempotence=true&t.acks=1"),
        (
            "broker_id",
            "[d]h/t?g.security.protocol=ssl&g.ssl.ca.location=/nonexistent",
        ),
        (
            "broker_id",
            "[e]h/t?g.ssl.key.password=hush&g.ssl.key.pem=hush&g.security.protocol=ssl",
        ),
        (
            "consume",
            "brokers=h;group=g;topics=t;t.auto.offset.reset=sometimes",
        ),
    ]);
    assert_eq!(said.len(), 6, "{said:#?}");
    for (said, part) in said.iter().zip([
        "broker_id [a]: linger.sm",
        "broker_id [b]: linger.ms",
        "broker_id [c]: ",
        "broker_id [d]: ",
        "broker_id [e]: ",
        "consume, group=g: auto.offset.reset",
    ]) {
        assert!(said.starts_with(part), "{said}");
    }
    assert!(!said.concat().contains("hush"), "{said:#?}");
}

#[test]
fn a_broker_that_described_its_cluster_is_up_unless_it_went_away_meanwhile() {
    let (notices, noticed) = notice::channel();
    let ups = || {
        let told = noticed.receiver.try_iter();
        told.filter(|notice| matches!(notice.what, What::Up))
            .count()
    };
    let none = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
    let watch = Watch::new(notices.clone(), 0);
    watch.looked(false);
    watch.error(&none, "refused");
    // It was missed before the look that finds nothing, and is there in the next.
    watch.looked(false);
    assert!(watch.is_new());
    assert_eq!(ups(), 0);
    watch.looked(true);
    assert_eq!((watch.is_new(), ups()), (false, 1));

    let watch = Watch::new(notices, 0);
    watch.error(&none, "gone");
    watch.looked(true);
    assert_eq!((watch.is_new(), ups()), (false, 0));
    watch.up();
    watch.up();
    assert_eq!(ups(), 1);
}
