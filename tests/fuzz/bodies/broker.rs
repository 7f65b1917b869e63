//! What brokers say, taken in by the real connectors on a real region: only the sockets are missing.

use sipbus::connector::{amqp, nats};
use sipbus::frame;
use sipbus::frame::kazoo::{Query, REPLY_OVERHEAD, Suspended, Waiter};
use sipbus::link::Link;
use sipbus::shm::lane::{Lane, LaneEnd};
use sipbus::shm::layout::ModulePlan;
use sipbus::shm::mailbox::{Mailbox, Outcome};
use sipbus::shm::region::Region;
use sipbus::shm::ring::Consumer;
use sipbus::shm::waker::Waker;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

const NATS: usize = 0;
const KAZOO: usize = 1;

/// Any bytes as what a broker says, in pieces of any size, to each kind of connection; in every
/// other case behind a sound log-in. Whatever reaches an inbox can be read there.
pub(crate) fn broker(input: &[u8]) {
    let Some((&[how, piece], said)) = input.split_first_chunk() else {
        return;
    };
    let logs_in = how & 1 == 0;
    STAND.with_borrow_mut(|stand| {
        let speaks = |greeting: Vec<u8>| Said {
            bytes: [if logs_in { greeting } else { Vec::new() }, said.to_vec()].concat(),
            at: 0,
            piece: usize::from(piece) + 1,
        };
        if how & 2 == 0 {
            stand.nats(how >> 2 & 1 == 0, speaks(nats_greeting()));
        } else {
            stand.kazoo(how >> 2, speaks(amqp_greeting()));
        }
        stand.empty();
    });
}

thread_local! {
    static STAND: RefCell<Stand> = RefCell::new(Stand::new());
}

struct Stand {
    region: &'static Region,
    wakers: [&'static Waker; 2],
    nats: sipbus::nats::settings::Settings,
    kazoo: sipbus::kazoo::settings::Settings,
    lane: Lane,
    mailbox: Mailbox,
    runtime: tokio::runtime::Runtime,
    drain: watch::Sender<bool>,
}

impl Stand {
    fn new() -> Self {
        let nats = nats_settings();
        let kazoo = kazoo_settings();
        let plans = vec![
            ModulePlan {
                name: "nats".to_owned(),
                lane_bytes: nats.common.queue_bytes,
                inbox_bytes: nats.common.inbox_bytes,
                inboxes: nats.inboxes(),
                rows: 0,
                mailbox_bytes: 0,
            },
            ModulePlan {
                name: "kazoo".to_owned(),
                lane_bytes: kazoo.common.queue_bytes,
                inbox_bytes: kazoo.common.inbox_bytes,
                inboxes: kazoo.workers,
                rows: sipbus::kazoo::table::Table::of(&kazoo).rows,
                mailbox_bytes: kazoo.reply_bytes_max + REPLY_OVERHEAD,
            },
        ];
        let region = Region::create(1, plans).unwrap();
        let waker = || -> &'static Waker { Box::leak(Box::new(Waker::new().unwrap())) };
        let wakers = [waker(), waker()];
        let (header, store) = region.mailbox(KAZOO, 0).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Self {
            region,
            wakers,
            nats,
            kazoo,
            lane: Lane::attach(region, NATS, 0, wakers[NATS], Duration::ZERO).unwrap(),
            mailbox: Mailbox::attach(header, store),
            runtime: runtime.unwrap(),
            drain: watch::channel(false).0,
        }
    }

    fn link(&self, module: usize) -> Link {
        let waker = self.wakers[module].fd().try_clone_to_owned().unwrap();
        let drain = self.drain.subscribe();
        Link::open(self.region, module, waker, Vec::new(), drain).unwrap()
    }

    fn nats(&mut self, consumes: bool, said: Said) {
        let side = if consumes {
            nats::fuzzing::Side::Consume
        } else {
            let publish = frame::nats::Publish {
                subject: b"a.b",
                reply: b"",
                payload: b"payload",
            };
            let header = publish.header().unwrap();
            for _ in 0..3 {
                let parts = [header.bytes(), publish.subject, publish.payload];
                self.lane.submit(&parts).unwrap();
            }
            nats::fuzzing::Side::Publish
        };
        let local = tokio::task::LocalSet::new();
        local.block_on(&self.runtime, async {
            nats::fuzzing::connect(self.link(NATS), self.nats.clone(), side, said).await
        });
    }

    fn kazoo(&mut self, how: u8, said: Said) {
        use amqp::fuzzing::Side;
        let side = match how % 3 {
            0 => Side::Subscriptions,
            1 => Side::Answers,
            _ => Side::Publish(u64::from(how) / 3),
        };
        let generation = self.mailbox.open().expect("nobody is answering");
        let suspended = Suspended {
            tindex: 1,
            tlabel: 2,
            ok: 3,
            err: 4,
        };
        let waiters = [
            Waiter::Async(suspended),
            Waiter::Blocking {
                process: 0,
                generation,
            },
        ];
        let queries = waiters.map(|waiter| Query {
            needs_server_id: true,
            exchange: b"e",
            routing_key: b"k",
            body: b"{ \"Msg-ID\": \"id\" }",
            headers: b"",
            msg_id: b"id",
            deadline_ms: u64::MAX,
            waiter,
        });
        let settings = self.kazoo.clone();
        let local = tokio::task::LocalSet::new();
        let done = local.block_on(&self.runtime, async {
            amqp::fuzzing::connect(self.link(KAZOO), settings, side, &queries, said).await
        });
        assert!(done.err().is_none_or(|why| !why.is_empty()));
        if let Some(outcome) = self.mailbox.give_up() {
            answered(outcome);
        }
    }

    /// Takes everything out of the inboxes and the lane.
    fn empty(&mut self) {
        for module in [NATS, KAZOO] {
            for (_, ring) in (0..).map_while(|inbox| self.region.inbox(module, inbox)) {
                let mut inbox = Consumer::attach(ring);
                while let Some(event) = inbox.take().expect("only the engine writes there") {
                    match module {
                        NATS => assert!(frame::nats::Event::parse(event).is_some()),
                        _ => assert!(frame::kazoo::Event::parse(event).is_some()),
                    }
                    inbox.release(inbox.cursor());
                }
            }
        }
        let mut lane = LaneEnd::attach(self.region, NATS, 0).unwrap();
        while lane.take().expect("only we write there").is_some() {}
        lane.release(lane.cursor());
    }
}

/// What a blocking query got can be read.
fn answered(outcome: Outcome) {
    match outcome {
        Outcome::Filled(bytes) => assert!(frame::kazoo::Arrived::parse(bytes).is_some()),
        Outcome::Failed(why) => {
            let why = u16::try_from(why).unwrap();
            assert!(frame::kazoo::Reason::from_number(why).is_some());
        }
        Outcome::Timeout => {}
    }
}

fn settings(lines: &[(&str, &str)]) -> sipbus::config::Given {
    let mut given = sipbus::config::Given::default();
    for (name, text) in lines {
        let value = match text.parse() {
            Ok(number) => sipbus::config::Value::Number(number),
            Err(_) => sipbus::config::Value::Text((*text).to_owned()),
        };
        given.add(name, value);
    }
    given
}

fn nats_settings() -> sipbus::nats::settings::Settings {
    let given = settings(&[
        ("subject_queue_group", "in.>:group"),
        ("queue_size", "65536"),
        ("message_size_max", "1000"),
        ("inbox_size", "65536"),
    ]);
    sipbus::nats::settings::Settings::from_given(&given, false).unwrap()
}

fn kazoo_settings() -> sipbus::kazoo::settings::Settings {
    use sipbus::kazoo::subscription::Subscription;
    let given = settings(&[
        ("node_hostname", "host"),
        ("amqp_connection", "amqp://host"),
        ("queue_size", "65536"),
        ("message_size_max", "1000"),
        ("inbox_size", "65536"),
        ("reply_size_max", "1024"),
        ("async_queries_max", "4"),
        ("amqp_consumer_workers", "2"),
        ("prefetch", "3"),
    ]);
    let mut settings = sipbus::kazoo::settings::Settings::from_given(&given).unwrap();
    let lines: [&[u8]; 2] = [
        b"{'exchange':'e','type':'topic','queue':'q','routing':'#'}",
        b"{'exchange':'f','type':'topic','no_ack':0,'consistent-worker':1,
            'consistent-worker-key':'Call-ID','wait_for_consumer_ack':1}",
    ];
    let subscriptions = lines.map(|line| Subscription::from_json(line).unwrap());
    settings.subscriptions = subscriptions.to_vec();
    settings
}

fn nats_greeting() -> Vec<u8> {
    b"INFO {\"max_payload\":1000,\"headers\":true}\r\nPONG\r\nPONG\r\n".to_vec()
}

fn amqp_greeting() -> Vec<u8> {
    let start = b"\x00\x09\x00\x00\x00\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x00";
    let tune = b"\x07\xff\x00\x00\x20\x00\x00\x00";
    [
        method(10, 10, start),
        method(10, 30, tune),
        method(10, 41, b"\x00"),
    ]
    .concat()
}

fn method(class: u16, number: u16, values: &[u8]) -> Vec<u8> {
    let size = u32::try_from(values.len()).unwrap() + 4;
    let head = [class.to_be_bytes(), number.to_be_bytes()].concat();
    let mut frame = vec![1, 0, 0];
    frame.extend(size.to_be_bytes());
    frame.extend(head);
    frame.extend(values);
    frame.push(0xCE);
    frame
}

/// Bytes that come in pieces; then the connection ends.
struct Said {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Said {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let end = self
            .bytes
            .len()
            .min(self.at + self.piece.min(into.remaining()));
        into.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}
