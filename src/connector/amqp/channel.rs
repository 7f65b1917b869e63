//! One subscription at one server: a channel of its own, from the declares to the last acknowledgement.

use super::declare::{CONSUMER, put_subscription};
use super::encode::{put_ack, put_bare, put_method, put_short};
use super::inboxes::{Inboxes, Place};
use super::protocol::method;
use crate::kazoo::subscription::Subscription;
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Pauses before a subscription that was refused is made again: they double.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is asked for, until then.
    Waiting(Instant),
    /// Everything is asked for, and not answered yet.
    Asked,
    /// Messages come.
    Consuming,
    /// No more shall come; the server is still to say that it knows.
    Leaving,
    /// No more come.
    Left,
}

/// A message that is coming, or that waits for room in an inbox.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pub(super) tag: u64,
    pub(super) routing_key: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// Bytes still to come; None before the header.
    pub(super) missing: Option<u64>,
    /// It is too large: its bytes are not kept.
    pub(super) skipped: bool,
}

/// A message that is not acknowledged; without a place, its handling is over.
#[derive(Debug, Clone, Copy)]
struct Unacked {
    tag: u64,
    place: Option<Place>,
}

impl Unacked {
    fn is_handled(&self, inboxes: &Inboxes) -> bool {
        self.place.is_none_or(|place| inboxes.is_handled(place))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Channel {
    /// Its number in the connection.
    pub(super) number: u16,
    pub(super) subscription: Subscription,
    /// The subscription's place in the settings, or `TARGETED`.
    pub(super) id: u16,
    /// What our own messages bear as their sender at this server; empty for nothing.
    pub(super) server_id: String,
    pub(super) stage: Stage,
    pub(super) assembly: Assembly,
    /// The channel is open at the server.
    open: bool,
    pause: Duration,
    unacked: VecDeque<Unacked>,
    /// The first of them when they were looked through last.
    slow: Option<u64>,
    prefetch: u16,
    /// The line in the roster.
    pub(super) row: Option<usize>,
    /// The queue's name as the server knows it.
    pub(super) queue: String,
    pub(super) received: u64,
    pub(super) acked: u64,
    pub(super) redelivered: u64,
    /// What the server said when it refused this last: said once.
    pub(super) told: String,
}

impl Channel {
    pub(super) fn new(number: u16, id: u16, subscription: Subscription, prefetch: u16) -> Self {
        Self {
            number,
            queue: subscription.queue.name.clone(),
            subscription,
            id,
            server_id: String::new(),
            stage: Stage::Waiting(Instant::now()),
            assembly: Assembly::default(),
            open: false,
            pause: PAUSE_MIN,
            unacked: VecDeque::new(),
            slow: None,
            prefetch,
            row: None,
            received: 0,
            acked: 0,
            redelivered: 0,
            told: String::new(),
        }
    }

    /// The same subscription, for another connection. It is not shown.
    pub(super) fn successor(&self) -> Self {
        let mut successor = Self::new(
            self.number,
            self.id,
            self.subscription.clone(),
            self.prefetch,
        );
        successor.server_id.clone_from(&self.server_id);
        successor
    }

    /// Takes the place of `old`, which has ended.
    pub(super) fn succeed(&mut self, old: &Self) {
        self.row = old.row;
        self.received += old.received;
        self.acked += old.acked;
        self.redelivered += old.redelivered;
    }

    /// Asks for no more messages.
    pub(super) fn leave(&mut self, out: &mut BytesMut) {
        if self.stage != Stage::Consuming {
            self.stage = Stage::Left;
            return;
        }
        put_method(out, self.number, method::BASIC_CANCEL, |out| {
            put_short(out, CONSUMER);
            out.put_u8(0);
        });
        self.stage = Stage::Leaving;
    }

    /// True if no more messages come, and all are acknowledged.
    pub(super) fn has_left(&self) -> bool {
        self.stage == Stage::Left && self.unacked.is_empty()
    }

    /// True if its messages come, or if it was refused and is to be tried again later.
    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Consuming || !self.told.is_empty()
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        let Subscription {
            exchange, queue, ..
        } = &self.subscription;
        format!("exchange {}, queue {}", exchange.name, queue.name)
    }

    /// The connection is new: nothing of the last one counts.
    pub(super) fn reset(&mut self) {
        self.open = false;
        self.unacked.clear();
        self.slow = None;
        self.assembly = Assembly::default();
        if !matches!(self.stage, Stage::Waiting(_)) {
            self.stage = Stage::Waiting(Instant::now());
        }
    }

    /// Asks for everything at once: the server answers in order, and closes the channel at the first
    /// that it does not like.
    pub(super) fn ask(&mut self, out: &mut BytesMut) {
        let channel = self.number;
        if !self.open {
            put_method(out, channel, method::CHANNEL_OPEN, |out| {
                put_short(out, b"")
            });
            self.open = true;
        }
        put_subscription(out, channel, &self.subscription, self.prefetch);
        self.stage = Stage::Asked;
    }

    /// The server sends messages from now on.
    pub(super) fn consumes(&mut self) {
        self.stage = Stage::Consuming;
        self.told.clear();
        self.pause = PAUSE_MIN;
    }

    /// The server closed the channel.
    pub(super) fn closed(&mut self, out: &mut BytesMut) {
        put_bare(out, self.number, method::CHANNEL_CLOSE_OK);
        self.open = false;
        self.unacked.clear();
        self.slow = None;
        self.assembly = Assembly::default();
        self.put_off();
    }

    /// It is tried again after a pause, which is longer each time.
    pub(super) fn put_off(&mut self) {
        self.stage = Stage::Waiting(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// The server ended the consumer: the queue was deleted. It is made again at once.
    pub(super) fn cancelled(&mut self) {
        self.stage = Stage::Waiting(Instant::now());
    }

    /// Notes what became of the message that came last; without a place, its handling is over.
    pub(super) fn took(&mut self, place: Option<Place>) {
        if !self.subscription.no_ack {
            let place = place.filter(|_| self.subscription.wait_for_consumer_ack);
            let tag = self.assembly.tag;
            self.unacked.push_back(Unacked { tag, place });
        }
    }

    /// Acknowledges what was handled, asks for a ring when more is. How many were acknowledged.
    pub(super) fn acknowledge(&mut self, inboxes: &Inboxes, out: &mut BytesMut) -> u64 {
        let mut count = 0;
        while !self.unacked.is_empty() {
            count += self.acknowledge_handled(inboxes, out);
            if !self.want_handled(inboxes) {
                break;
            }
        }
        self.acked += count;
        count
    }

    /// True if every message was acknowledged.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.unacked.is_empty()
    }

    /// True if acknowledgements must not wait: the server sends nothing over `prefetch`.
    pub(super) fn is_pressed(&self) -> bool {
        self.unacked.len() >= usize::from(self.prefetch) / 2
    }

    /// True if a message was handled and not acknowledged.
    pub(super) fn has_handled(&self, inboxes: &Inboxes) -> bool {
        self.unacked
            .iter()
            .any(|unacked| unacked.is_handled(inboxes))
    }

    /// One acknowledgement for all before the first message that is not handled: each costs the server
    /// as much as a message does. Those behind it get their own once it is known to take longer.
    fn acknowledge_handled(&mut self, inboxes: &Inboxes, out: &mut BytesMut) -> u64 {
        let (mut count, mut last) = (0, None);
        while let Some(unacked) = self.unacked.front().filter(|u| u.is_handled(inboxes)) {
            last = Some(unacked.tag);
            count += 1;
            self.unacked.pop_front();
        }
        if let Some(tag) = last {
            put_ack(out, self.number, tag, true);
        }
        let first = self.unacked.front().map(|unacked| unacked.tag);
        if self.slow.is_some() && self.slow == first {
            let number = self.number;
            self.unacked.retain(|unacked| {
                let done = unacked.is_handled(inboxes);
                if done {
                    put_ack(out, number, unacked.tag, false);
                    count += 1;
                }
                !done
            });
        }
        self.slow = first;
        count
    }

    /// Asks each worker for a ring when a good part of its messages is handled, or all. True if one is
    /// so far already.
    fn want_handled(&self, inboxes: &Inboxes) -> bool {
        let part = usize::from(self.prefetch) / (4 * inboxes.len().max(1));
        let mut wanted: Vec<(usize, Option<Place>)> = vec![(0, None); inboxes.len()];
        for place in self.unacked.iter().filter_map(|unacked| unacked.place) {
            if let Some((count, last)) = wanted.get_mut(place.worker)
                && *count <= part
            {
                *count += 1;
                *last = Some(place);
            }
        }
        let places = wanted.into_iter().filter_map(|(_, place)| place);
        // Each of them is asked.
        places.filter(|place| inboxes.want_handled(*place)).count() > 0
    }
}
