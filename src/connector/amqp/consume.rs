//! A connection for subscriptions: its messages go to the event workers' inboxes.
//!
//! While the inbox that a message is for is full, nothing is read, so TCP holds the server back;
//! nothing is dropped here. Subscriptions are made one after the other: one that makes the server
//! close the whole connection is known, and put off.

mod renew;

use super::channel::{Channel, Stage};
use super::inboxes::{Given, Inboxes};
use super::presence::{Presence, Role};
use super::protocol::{CONNECTION_FORCED, Deliver, Frame, Method, method, parse};
use super::query::{Answered, Queries};
use super::session::{Dialer, Reconnect, Session, closed};
use crate::frame::kazoo::{Arrived, EVENT_OVERHEAD, Event, TARGETED};
use crate::kazoo::counter::connector;
use crate::kazoo::server::Server;
use crate::kazoo::table::{self, CLOSED, OPEN};
use crate::kazoo::{SHORT_BYTES_MAX, json, payload};
use crate::link::{Entry, Roster};
use bytes::Buf;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;

/// Acknowledgements wait so long for others to go with, while the server may still send.
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(1);

/// What every such connection shares.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) dialer: Rc<Dialer>,
    pub(super) presence: Rc<Presence>,
    pub(super) inboxes: Rc<Inboxes>,
    pub(super) queries: Rc<Queries>,
    pub(super) roster: Rc<Roster>,
}

/// Keeps a connection to server number `index`, from 0, and its `channels`. Runs until the engine
/// drains.
pub(super) async fn run(
    common: Common,
    index: usize,
    role: Role,
    channels: Vec<Channel>,
    mut drain: watch::Receiver<bool>,
) {
    let Some(server) = common.dialer.settings.servers.get(index).cloned() else {
        return;
    };
    let mut consumer = Consumer::new(&common, &server, index, role, channels);
    let failed = |why: &str| common.presence.failed(index, role, why);
    let mut reconnect = Reconnect::new(&common.dialer.settings);
    let mut renewals = common.dialer.tls.renewals();
    loop {
        renewals.mark_unchanged();
        let mut session = tokio::select! {
            session = reconnect.connect(&server, &common.dialer, failed) => session,
            _ = drain.wait_for(|drain| *drain) => return,
        };
        consumer.start();
        tokio::select! {
            Err(why) = consumer.keep(&mut session, &mut renewals) => {
                consumer.lost(&why);
                common.presence.down(index, role, &why);
            }
            // Messages that were not read stay with the server's other consumers.
            _ = drain.wait_for(|drain| *drain) => {
                consumer.acknowledge(&mut session);
                session.end().await;
                return;
            }
        }
    }
}

pub(super) struct Consumer<'a> {
    common: &'a Common,
    server: &'a Server,
    index: usize,
    role: Role,
    channels: Vec<Channel>,
    /// The channel whose message waits for room.
    parked: Option<usize>,
    /// The connection was reported as up.
    up: bool,
    /// The server closed the connection because of what was asked for.
    blamed: bool,
}

impl<'a> Consumer<'a> {
    pub(super) fn new(
        common: &'a Common,
        server: &'a Server,
        index: usize,
        role: Role,
        channels: Vec<Channel>,
    ) -> Self {
        let consumer = Self {
            common,
            server,
            index,
            role,
            channels,
            parked: None,
            up: false,
            blamed: false,
        };
        consumer.channels.iter().for_each(|c| consumer.show(c));
        consumer
    }

    /// The connection is new.
    pub(super) fn start(&mut self) {
        self.channels.iter_mut().for_each(Channel::reset);
        self.parked = None;
        self.up = false;
        self.blamed = false;
        if self.role == Role::Subscriptions {
            self.is_up();
        }
    }

    /// Reads and acknowledges until `done`. May be dropped and called again.
    pub(super) async fn serve(
        &mut self,
        session: &mut Session,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let mut rings = self.common.inboxes.rings();
        let mut acknowledged = Instant::now();
        loop {
            rings.mark_unchanged();
            self.understand(session)?;
            self.common.inboxes.deliver();
            let acknowledges = self.acknowledge_paced(session, &mut acknowledged);
            if done(self) {
                return Ok(());
            }
            let asks = self.ask(session);
            let next = asks.into_iter().chain(acknowledges).min();
            let reads = self.parked.is_none();
            tokio::select! {
                step = session.step(reads) => step?,
                changed = rings.changed() => changed.map_err(|error| error.to_string())?,
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Acknowledges what was handled, unless that was done at `last`, a moment ago. When to look again,
    /// if no ring will tell.
    fn acknowledge_paced(&mut self, session: &mut Session, last: &mut Instant) -> Option<Instant> {
        if self.channels.iter().all(Channel::is_acknowledged) {
            return None;
        }
        let now = Instant::now();
        let due = *last + ACKNOWLEDGE_PAUSE;
        if now < due && !self.channels.iter().any(Channel::is_pressed) {
            return Some(due);
        }
        *last = now;
        self.acknowledge(session);
        let inboxes = &self.common.inboxes;
        let held_up = self
            .channels
            .iter()
            .any(|channel| channel.has_handled(inboxes));
        held_up.then_some(now + ACKNOWLEDGE_PAUSE)
    }

    fn is_up(&mut self) {
        if !self.up {
            self.up = true;
            self.common.presence.up(self.index, self.role);
        }
    }

    /// The connection is gone; the subscription that was being made may be why.
    pub(super) fn lost(&mut self, why: &str) {
        for at in 0..self.channels.len() {
            let asked = self.channels.get(at).map(|channel| channel.stage) == Some(Stage::Asked);
            if asked && self.blamed {
                self.with(at, Channel::put_off);
                self.refused(at, why);
            }
            self.with(at, Channel::reset);
            self.show_at(at);
        }
    }

    /// Makes the next subscription that is due, if none is being made; when to look again.
    fn ask(&mut self, session: &mut Session) -> Option<Instant> {
        if self.channels.iter().any(|c| c.stage == Stage::Asked) {
            return None;
        }
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for channel in &mut self.channels {
            if let Stage::Waiting(until) = channel.stage {
                if until <= now {
                    channel.ask(&mut session.output);
                    return None;
                }
                next = Some(next.map_or(until, |next| next.min(until)));
            }
        }
        next
    }

    fn acknowledge(&mut self, session: &mut Session) {
        for at in 0..self.channels.len() {
            let Some(channel) = self.channels.get_mut(at) else {
                continue;
            };
            let acked = channel.acknowledge(&self.common.inboxes, &mut session.output);
            if acked > 0 {
                self.common.presence.count(connector::ACKED, acked);
                self.figure(at);
            }
        }
    }

    /// Handles every whole frame in the buffer, up to a message without room.
    fn understand(&mut self, session: &mut Session) -> Result<(), String> {
        if let Some(at) = self.parked.take() {
            self.dispatch(at);
        }
        let Session {
            input,
            output,
            frame_max,
            ..
        } = session;
        while self.parked.is_none()
            && let Some((number, frame, len)) = parse(input, *frame_max)?
        {
            let at = self.channels.iter().position(|c| c.number == number);
            match (frame, at) {
                (Frame::Method(Method::ConnectionClose(closing)), _) => {
                    self.blamed = closing.code != CONNECTION_FORCED;
                    return Err(closed(output, &closing));
                }
                (Frame::Method(Method::ChannelClose(closing)), Some(at)) => {
                    let why = closing.shown();
                    self.with(at, |channel| channel.closed(output));
                    self.refused(at, &why);
                    if self.up && self.role == Role::Answers {
                        // Nothing else is on this connection: it counts as lost until it works again.
                        return Err(why);
                    }
                }
                (Frame::Method(method), Some(at)) => self.obey(at, method),
                (Frame::Header(size), Some(at)) => self.begin(at, size),
                (Frame::Body(bytes), Some(at)) => self.go_on(at, bytes),
                _ => {}
            }
            input.advance(len);
        }
        Ok(())
    }

    fn with(&mut self, at: usize, body: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(at) {
            body(channel);
        }
    }

    fn obey(&mut self, at: usize, method: Method<'_>) {
        match method {
            Method::Deliver(deliver) => self.deliver(at, &deliver),
            Method::QueueDeclared(name) => {
                let name = String::from_utf8_lossy(name).into_owned();
                self.with(at, |channel| channel.queue = name);
            }
            Method::Other(method::BASIC_CONSUME_OK) => {
                self.with(at, Channel::consumes);
                self.show_at(at);
                if let Some(channel) = self.channels.get(at) {
                    log::info!("kazoo: {} consumes from {}", self.server, channel.name());
                }
                self.is_up();
            }
            Method::Other(method::BASIC_CANCEL_OK) => {
                self.with(at, |channel| channel.stage = Stage::Left);
            }
            Method::Cancel => {
                self.with(at, Channel::cancelled);
                self.show_at(at);
                if let Some(channel) = self.channels.get(at) {
                    let name = channel.name();
                    log::warn!(
                        "kazoo: {} ended the subscription to {name}; making it again",
                        self.server
                    );
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, at: usize, why: &str) {
        self.show_at(at);
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let what = format!("it refuses the subscription to {}: {why}", channel.name());
        if channel.told == what {
            log::debug!("kazoo: {}: {what}", self.server);
        } else {
            self.common.presence.complained(self.index, &what);
            channel.told = what;
        }
    }

    fn deliver(&mut self, at: usize, deliver: &Deliver<'_>) {
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let assembly = &mut channel.assembly;
        assembly.tag = deliver.tag;
        assembly.routing_key.clear();
        assembly.routing_key.extend_from_slice(deliver.routing_key);
        assembly.body.clear();
        assembly.missing = None;
        if deliver.redelivered {
            channel.redelivered += 1;
            self.common.presence.count(connector::REDELIVERED, 1);
        }
    }

    /// A message's header: its size.
    fn begin(&mut self, at: usize, size: u64) {
        let most = self.common.inboxes.event_bytes_max();
        let most = most.saturating_sub(EVENT_OVERHEAD + SHORT_BYTES_MAX);
        // An answer may be larger than an inbox.
        let most = most.max(self.common.dialer.settings.reply_bytes_max) as u64;
        if let Some(channel) = self.channels.get_mut(at) {
            channel.assembly.missing = Some(size);
            channel.assembly.skipped = size > most;
        }
        if size == 0 {
            self.dispatch(at);
        }
    }

    fn go_on(&mut self, at: usize, bytes: &[u8]) {
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let assembly = &mut channel.assembly;
        let missing = assembly
            .missing
            .map(|missing| missing.saturating_sub(bytes.len() as u64));
        assembly.missing = missing;
        if !assembly.skipped {
            assembly.body.extend_from_slice(bytes);
        }
        if missing == Some(0) {
            self.dispatch(at);
        }
    }

    /// Hands the whole message on. Where there is no room the channel is parked with it.
    fn dispatch(&mut self, at: usize) {
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let given = if channel.assembly.skipped {
            self.common.inboxes.left_out();
            Given::TooLarge
        } else {
            hand_on(self.common, self.index, channel)
        };
        match given {
            Given::Full => {
                self.parked = Some(at);
                return;
            }
            Given::Staged(place) => channel.took(Some(place)),
            Given::TooLarge => {
                let name = channel.name();
                log::error!("kazoo: a message from {name} is over inbox_size: left out");
                channel.took(None);
            }
            Given::Answered => channel.took(None),
        }
        channel.received += 1;
        self.figure(at);
    }

    fn figure(&self, at: usize) {
        if let Some(channel) = self.channels.get(at)
            && let Some(row) = channel.row
        {
            let figure = |slot, value| self.common.roster.figure(row, slot, value);
            figure(table::RECEIVED, channel.received);
            figure(table::ACKED, channel.acked);
            figure(table::REDELIVERED, channel.redelivered);
        }
    }

    fn show_at(&self, at: usize) {
        if let Some(channel) = self.channels.get(at) {
            self.show(channel);
            self.figure(at);
        }
    }

    /// Fills the subscription's line in the roster.
    fn show(&self, channel: &Channel) {
        let Some(row) = channel.row else {
            return;
        };
        let state = match channel.stage {
            Stage::Consuming => OPEN,
            _ => CLOSED,
        };
        let entry = Entry {
            generation: 1,
            state,
            address: channel.queue.clone(),
            port: 0,
            tag: self.server.zone.clone().into_bytes(),
        };
        self.common.roster.enter(row, &entry);
        let figure = |slot, value| self.common.roster.figure(row, slot, value);
        figure(table::SERVER, self.index as u64 + 1);
        figure(table::SUBSCRIPTION, u64::from(channel.id));
    }
}

/// The `Msg-ID` of a message that may be an answer. A query that came back to its own sender, who has
/// subscribed to what it asks, is none.
fn answers(channel: &Channel, body: &[u8]) -> Option<String> {
    let document = json::parse(body).ok()?;
    let sender = document.get("Server-ID").map(json::Value::text);
    let own = channel.server_id.as_bytes();
    if channel.id != TARGETED && sender.is_some_and(|sender| !own.is_empty() && *sender == *own) {
        return None;
    }
    payload::msg_id(&document)
}

/// Gives a message to who waits for it, or else to a worker.
fn hand_on(common: &Common, server: usize, channel: &Channel) -> Given {
    let assembly = &channel.assembly;
    let message = Arrived {
        server: u16::try_from(server + 1).unwrap_or(u16::MAX),
        received: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        body: &assembly.body,
    };
    if common.queries.are_awaited()
        && let Some(msg_id) = answers(channel, message.body)
    {
        match common.queries.answer(msg_id.as_bytes(), message) {
            Answered::Yes => return Given::Answered,
            Answered::Full => return Given::Full,
            Answered::No => {}
        }
    }
    let worker = if channel.id != TARGETED && channel.subscription.consistent_worker {
        let document = json::parse(message.body).unwrap_or(json::Value::Null);
        let workers = common.inboxes.len();
        channel
            .subscription
            .worker(&document, &assembly.routing_key, workers)
    } else {
        None
    };
    let event = Event::Message {
        subscription: channel.id,
        routing_key: &assembly.routing_key,
        message,
    };
    if channel.id == TARGETED {
        // Answers must not wait behind events.
        return if common.inboxes.is_crowded() {
            Given::Full
        } else if common.inboxes.tell(&event) {
            Given::Answered
        } else {
            Given::TooLarge
        };
    }
    common.inboxes.give(&event, worker)
}
