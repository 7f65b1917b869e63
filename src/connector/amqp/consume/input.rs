//! What a server says on a connection for subscriptions, frame by frame, until a message is whole.

use super::Consumer;
use crate::connector::amqp::channel::{Channel, Stage};
use crate::connector::amqp::presence::Role;
use crate::connector::amqp::protocol::{CONNECTION_FORCED, Deliver, Frame, Method, method, parse};
use crate::connector::amqp::session::{Session, closed};
use crate::frame::kazoo::EVENT_OVERHEAD;
use crate::kazoo::SHORT_BYTES_MAX;
use crate::kazoo::counter::connector;
use bytes::Buf;

impl Consumer<'_> {
    /// Handles every whole frame in the buffer, up to a message without room.
    pub(super) fn understand(&mut self, session: &mut Session) -> Result<(), String> {
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

    pub(super) fn with(&mut self, at: usize, body: impl FnOnce(&mut Channel)) {
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

    pub(super) fn refused(&mut self, at: usize, why: &str) {
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
}
