//! Writes what is in a line's buffer, asks for exchanges, and changes over to a connection with other
//! certificates.

use super::input::Ear;
use super::{CHANNEL, Ends};
use crate::connector::amqp::connect::Successor;
use crate::connector::amqp::encode::{put_method, put_short, put_table};
use crate::connector::amqp::presence::Role;
use crate::connector::amqp::protocol::method;
use crate::connector::amqp::session::Session;
use crate::connector::stream::made;
use bytes::BufMut;
use tokio::sync::watch;

/// The channel that asks whether an exchange is there: the server closes it if not.
pub(super) const ASKING: u16 = 2;

/// A connection that is there.
pub(super) struct Writer<'a> {
    pub(super) session: Session,
    pub(super) ear: Ear<'a>,
    pub(super) confirms: bool,
    /// Of what is in the session's buffer, and its bytes when it came there.
    pub(super) ends: Ends,
    taken_bytes: usize,
    /// The exchange that the server was asked for.
    pub(super) asked: Option<Vec<u8>>,
    /// The channel for that is open.
    pub(super) can_ask: bool,
    /// The last message that is in the session's buffer, or was.
    pub(super) taken_up_to: u64,
    /// The last message before the first of this channel.
    pub(super) base: u64,
    /// No message was the reason for the end.
    pub(super) forced: bool,
    /// A connection with other certificates, which waits until nothing is on its way here.
    successor: Option<Session>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(session: Session, ear: Ear<'a>, confirms: bool) -> Self {
        Self {
            session,
            ear,
            confirms,
            ends: Ends::new(),
            taken_bytes: 0,
            taken_up_to: 0,
            base: 0,
            asked: None,
            can_ask: false,
            forced: true,
            successor: None,
        }
    }

    /// Ok at the end that was asked for.
    pub(super) async fn serve(
        &mut self,
        renewals: &mut watch::Receiver<u64>,
        again: impl Fn() -> Successor,
    ) -> Result<(), String> {
        let mut coming = None;
        self.open_channel();
        loop {
            self.understand()?;
            self.ask();
            self.settle_written();
            if self.session.is_flushed() {
                self.flushed();
                if self.ear.line.ending.get() && self.session.output.is_empty() {
                    return Ok(());
                }
            }
            if self.is_quiet()
                && let Some(session) = self.successor.take()
            {
                self.replace(session).await;
                continue;
            }
            let renews = coming.is_none() && self.successor.is_none();
            tokio::select! {
                step = self.session.step(true) => step?,
                () = self.ear.line.written.notified() => {}
                Ok(()) = renewals.changed(), if renews => coming = Some(again()),
                made = made(&mut coming), if coming.is_some() => {
                    coming = None;
                    self.prepare(made)?;
                }
            }
        }
    }

    /// True if the server has everything that went this way.
    fn is_quiet(&self) -> bool {
        let settled = self.ear.line.tags.borrow().settled();
        self.session.is_flushed() && self.asked.is_none() && settled >= self.taken_up_to
    }

    fn prepare(&mut self, made: Result<Session, String>) -> Result<(), String> {
        match made {
            // Messages may stand in the line already, in frames of the old size.
            Ok(session) if session.frame_max < self.session.frame_max => {
                return Err("it takes smaller frames now".to_owned());
            }
            Ok(session) => self.successor = Some(session),
            Err(why) => {
                let Ear { line, presence, .. } = self.ear;
                presence.not_renewed(line.index, Role::Publish, &why);
            }
        }
        Ok(())
    }

    /// Goes on with another connection.
    async fn replace(&mut self, session: Session) {
        std::mem::replace(&mut self.session, session).end().await;
        self.base = self.taken_up_to;
        self.can_ask = false;
        let Ear { line, presence, .. } = self.ear;
        line.frame_max.set(self.session.frame_max);
        self.open_channel();
        self.ear.block(None);
        presence.renewed(line.index, Role::Publish);
    }

    pub(super) fn open_channel(&mut self) {
        let out = &mut self.session.output;
        put_method(out, CHANNEL, method::CHANNEL_OPEN, |out| {
            put_short(out, b"")
        });
        if self.confirms {
            put_method(out, CHANNEL, method::CONFIRM_SELECT, |out| out.put_u8(0));
        }
    }

    /// Asks for the exchange that a message waits for, one at a time.
    fn ask(&mut self) {
        if self.asked.is_some() || self.successor.is_some() {
            return;
        }
        self.asked = self.ear.line.exchanges.borrow_mut().take_wanted();
        let Some(name) = &self.asked else { return };
        let out = &mut self.session.output;
        if !self.can_ask {
            self.can_ask = true;
            put_method(out, ASKING, method::CHANNEL_OPEN, |out| put_short(out, b""));
        }
        put_method(out, ASKING, method::EXCHANGE_DECLARE, |out| {
            out.put_u16(0);
            put_short(out, name);
            put_short(out, b"");
            // Passive: nothing is declared.
            out.put_u8(1);
            put_table(out, []);
        });
    }

    /// Without confirms a message is settled when it was written.
    fn settle_written(&mut self) {
        if self.confirms {
            return;
        }
        // What was put behind the messages since makes this too few, which does no harm.
        let written = self.taken_bytes.saturating_sub(self.session.output.len());
        let mut last = None;
        while let Some((_, tag)) = self.ends.front().filter(|(end, _)| *end <= written) {
            last = Some(*tag);
            self.ends.pop_front();
        }
        if let Some(tag) = last {
            self.ear.line.tags.borrow_mut().settle(tag, true, true);
            self.ear.progress.notify_one();
        }
    }

    /// Everything is written: what comes next is taken over, without a copy.
    fn flushed(&mut self) {
        if self.successor.is_some() {
            return;
        }
        let mut output = self.ear.line.output.borrow_mut();
        if !output.is_empty() {
            std::mem::swap(&mut self.session.output, &mut output);
            self.taken_bytes = self.session.output.len();
            self.ends = std::mem::take(&mut self.ear.line.ends.borrow_mut());
            self.taken_up_to = self.ear.line.tags.borrow().given();
        }
    }
}
