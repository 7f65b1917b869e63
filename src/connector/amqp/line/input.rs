//! What the server says on a connection for publishing, and who is to hear it.

use super::writer::{ASKING, Writer};
use super::{CHANNEL, Line, Loss};
use crate::connector::amqp::encode::{put_bare, put_method};
use crate::connector::amqp::presence::{Presence, Role};
use crate::connector::amqp::protocol::{
    CONNECTION_FORCED, Closing, Frame, Method, NOT_FOUND, method, parse,
};
use crate::connector::amqp::session::{Session, closed};
use bytes::{Buf, BufMut};
use tokio::sync::Notify;

/// Who is to hear what the server says.
#[derive(Clone, Copy)]
pub(super) struct Ear<'a> {
    pub(super) line: &'a Line,
    pub(super) presence: &'a Presence,
    pub(super) progress: &'a Notify,
}

impl Writer<'_> {
    /// Handles every whole frame in the buffer.
    pub(super) fn understand(&mut self) -> Result<(), String> {
        let ear = self.ear;
        let Session {
            input,
            output,
            frame_max,
            ..
        } = &mut self.session;
        let mut reopen = false;
        while let Some((channel, frame, len)) = parse(input, *frame_max)? {
            if let Frame::Method(method) = frame {
                match method {
                    Method::ChannelClose(closing) if channel == ASKING => {
                        self.can_ask = false;
                        put_bare(output, ASKING, method::CHANNEL_CLOSE_OK);
                        ear.answered(self.asked.take(), Some(&closing));
                    }
                    Method::Other(method::EXCHANGE_DECLARE_OK) => {
                        ear.answered(self.asked.take(), None);
                    }
                    Method::Other(_) if channel == ASKING => {}
                    Method::Confirm {
                        tag,
                        multiple,
                        taken,
                    } => {
                        let mut tags = ear.line.tags.borrow_mut();
                        tags.settle(self.base.saturating_add(tag), multiple, taken);
                        ear.progress.notify_one();
                    }
                    Method::Other(method::CHANNEL_OPEN_OK) if !self.confirms => ear.opened(),
                    Method::Other(method::CONFIRM_SELECT_OK) => ear.opened(),
                    Method::Blocked(why) => ear.block(Some(&String::from_utf8_lossy(why))),
                    Method::Unblocked => ear.block(None),
                    Method::Flow(active) => {
                        put_method(output, CHANNEL, method::CHANNEL_FLOW_OK, |out| {
                            out.put_u8(u8::from(active));
                        });
                        ear.block((!active).then_some("channel.flow"));
                    }
                    Method::ChannelClose(closing) => {
                        // What stands in the buffer was for the channel that is gone.
                        reopen = true;
                        self.ends.clear();
                        put_bare(output, CHANNEL, method::CHANNEL_CLOSE_OK);
                        ear.refused(&closing);
                    }
                    Method::ConnectionClose(closing) => {
                        self.forced = closing.code == CONNECTION_FORCED;
                        return Err(closed(output, &closing));
                    }
                    _ => {}
                }
            }
            input.advance(len);
        }
        if reopen {
            (self.base, self.taken_up_to) = (0, 0);
            self.open_channel();
        }
        Ok(())
    }
}

impl Ear<'_> {
    fn opened(&self) {
        let line = self.line;
        line.open.set(true);
        line.missed.set(false);
        if !self.presence.is_up(line.index, Role::Publish) {
            self.presence.up(line.index, Role::Publish);
        }
        self.progress.notify_one();
    }

    /// The server was asked for an exchange; it is there unless it closed the channel.
    fn answered(&self, asked: Option<Vec<u8>>, closing: Option<&Closing<'_>>) {
        let Some(name) = asked else { return };
        let mut exchanges = self.line.exchanges.borrow_mut();
        match closing {
            Some(closing) if closing.code == NOT_FOUND => {
                if exchanges.missed(name) {
                    let why = closing.shown();
                    let what = format!("it does not take messages, which are left out: {why}");
                    self.presence.complained(self.line.index, &what);
                }
            }
            // If something else is wrong, the messages find out.
            _ => exchanges.found(name),
        }
        self.progress.notify_one();
    }

    pub(super) fn block(&self, why: Option<&str>) {
        self.line.blocked.set(why.is_some());
        self.presence.blocked(self.line.index, why);
        self.progress.notify_one();
    }

    /// The server did not like one of the messages on their way.
    fn refused(&self, closing: &Closing<'_>) {
        let outstanding = self.line.tags.borrow().outstanding();
        self.line.lose(Loss::Refusal {
            why: closing.shown(),
            outstanding,
        });
        self.progress.notify_one();
    }
}
