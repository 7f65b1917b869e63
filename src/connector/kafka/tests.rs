use super::check::check;
use super::ledger::{Ledger, Ticket};
use super::notice::{self, What};
use super::pages::Pages;
use super::session::Watch;
use crate::config::{Given, Value};
use crate::kafka::settings::Settings;
use crate::link::Verdict;
use crate::link::stand::Stand;
use crossbeam_channel::Receiver;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

#[test]
fn a_ticket_survives_the_way_through_the_library() {
    for report in [None, Some(0), Some(7), Some((1 << 26) - 2)] {
        for (page, frame, row) in [(0, 0, 0), (u16::MAX, 63, u16::MAX), (1, 7, 513)] {
            let ticket = Ticket {
                page,
                frame,
                row,
                report,
            };
            assert_eq!(Ticket::decode(ticket.encode()), ticket);
        }
    }
}

fn ledger() -> (Arc<Ledger>, Receiver<u16>) {
    let (outcomes, _) = crossbeam_channel::unbounded();
    let (notices, _) = notice::channel();
    Ledger::open(
        Arc::from(Vec::new()),
        outcomes,
        Arc::new(Notify::new()),
        notices,
    )
}

#[test]
fn messages_that_come_alone_behind_one_that_waits_share_pages() {
    const COUNT: usize = 1000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    tokio::task::LocalSet::new().block_on(&runtime.unwrap(), async {
        let (mut stand, link) = Stand::open();
        let mut outbound = link.outbound;
        let (ledger, done) = ledger();
        let mut pages = Pages::new(outbound.lanes());
        let mut tickets = Vec::new();
        for _ in 0..COUNT {
            stand.submit(b"alone");
            let index = outbound.next(|lane| pages.is_one_for(lane)).unwrap();
            let open = pages.open(index, &ledger).unwrap();
            let taken = outbound.turn(index, usize::MAX, |before, _| {
                let ticket = Ticket {
                    page: open.page,
                    frame: open.place(before).unwrap(),
                    row: 0,
                    report: None,
                };
                ledger.note(ticket);
                tickets.push(ticket);
                Verdict::Sent(1)
            });
            pages.close(open, taken, &ledger);
        }
        let different: BTreeSet<_> = tickets.iter().map(|ticket| ticket.page).collect();
        assert!(different.len() < 40, "{} pages", different.len());
        let mut finish = |pages: &mut Pages| {
            for page in done.try_iter() {
                pages.finish(page, &ledger, &mut outbound);
            }
            stand.used()
        };
        for ticket in tickets.iter().skip(1) {
            ledger.settle(*ticket, false);
        }
        let used = finish(&mut pages);
        assert!(used > 0 && !pages.are_all_free(), "the oldest waits");
        ledger.settle(tickets[0], true);
        assert_eq!(finish(&mut pages), 0);
        assert!(pages.are_all_free());
    });
}

#[test]
fn a_page_is_done_when_each_of_its_messages_is_settled() {
    let (ledger, done) = ledger();
    let tickets = [0, 1, 2, 3].map(|frame| Ticket {
        page: 3,
        frame,
        row: 0,
        report: None,
    });
    ledger.begin(3);
    assert!(ledger.is_blank(3));
    for ticket in tickets.into_iter().take(3) {
        ledger.note(ticket);
    }
    ledger.take_back(tickets[2]);
    ledger.leave(3);
    ledger.settle(tickets[1], true);
    assert_eq!(ledger.settled(3), (2, 2));
    // More come onto it as long as it is not done.
    assert!(ledger.go_on(3));
    ledger.note(tickets[3]);
    ledger.leave(3);
    ledger.settle(tickets[0], false);
    assert!(done.try_recv().is_err(), "one is on its way");
    ledger.settle(tickets[3], false);
    assert_eq!(done.try_recv(), Ok(3));
    assert_eq!(ledger.settled(3), (0b1011, 2));
    assert!(!ledger.go_on(3));
    ledger.begin(3);
    assert_eq!(ledger.settled(3), (0, 0));
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
        ("consume", "brokers=h;group=p;topics=t,^audit("),
    ]);
    assert_eq!(said.len(), 7, "{said:#?}");
    for (said, part) in said.iter().zip([
        "broker_id [a]: linger.sm",
        "broker_id [b]: linger.ms",
        "broker_id [c]: ",
        "broker_id [d]: ",
        "broker_id [e]: ",
        "consume, group=g: auto.offset.reset",
        "consume, group=p: topics=t,^audit(: ",
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
