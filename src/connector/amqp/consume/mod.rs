//! A connection for subscriptions: its messages go to the event workers' inboxes.
//!
//! While the inbox that a message is for is full, nothing is read, so TCP holds the server back;
//! nothing is dropped here. Subscriptions are made one after the other: one that makes the server
//! close the whole connection is known, and put off.

mod input;
mod message;
mod renew;

use super::Common;
use super::channel::{Channel, Stage};
use super::connect::Reconnect;
use super::presence::Role;
use super::session::Session;
use crate::kazoo::counter::connector;
use crate::kazoo::server::Server;
use crate::kazoo::table::{self, CLOSED, OPEN};
use crate::link::Entry;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Acknowledgements wait so long for others to go with, while the server may still send.
const ACKNOWLEDGE_PAUSE: Duration = Duration::from_millis(1);

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
