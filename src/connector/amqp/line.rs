//! The connection to one server for publishing: what [`publish`](super::publish) puts into its buffer
//! is written, and what the server says about it is noted.

use super::confirm::Tags;
use super::exchange::Exchanges;
use super::presence::{Presence, Role};
use super::protocol::{
    CONNECTION_FORCED, Closing, Frame, Method, NOT_FOUND, method, parse, put_bare, put_method,
    put_short, put_table,
};
use super::session::{CLOSE_LIMIT, Dialer, Reconnect, Session, Successor, again, closed, made};
use crate::kazoo::server::Server;
use bytes::{Buf, BufMut, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// The one channel for messages.
pub(super) const CHANNEL: u16 = 1;

/// The channel that asks whether an exchange is there: the server closes it if not.
const ASKING: u16 = 2;

/// Where messages end in a buffer: bytes up to there, and the tag of the last of them.
type Ends = VecDeque<(usize, u64)>;

/// How messages that were on their way were lost.
#[derive(Debug)]
pub(super) enum Loss {
    /// With the connection.
    Connection,
    /// The server closed the channel or the connection because of one of them.
    Refusal {
        /// What it said.
        why: String,
        /// How many were on their way.
        outstanding: u64,
    },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    /// Its place among the servers.
    pub(super) index: usize,
    /// `Server-ID` of messages that go this way; empty where no answer could come.
    pub(super) server_id: String,
    pub(super) open: Cell<bool>,
    pub(super) blocked: Cell<bool>,
    /// Messages for it were left out since it was there last.
    pub(super) missed: Cell<bool>,
    pub(super) frame_max: Cell<usize>,
    /// What is to be written.
    pub(super) output: RefCell<BytesMut>,
    pub(super) tags: RefCell<Tags>,
    pub(super) exchanges: RefCell<Exchanges>,
    /// Of what is to be written.
    ends: RefCell<Ends>,
    /// Set until the publisher has looked.
    pub(super) loss: RefCell<Option<Loss>>,
    /// Rung by the publisher when there is something to write or to ask.
    pub(super) written: Notify,
    ending: Cell<bool>,
    ended: Notify,
}

impl Line {
    pub(super) fn new(index: usize, server_id: String) -> Self {
        Self {
            index,
            server_id,
            open: Cell::new(false),
            blocked: Cell::new(false),
            missed: Cell::new(false),
            frame_max: Cell::new(super::protocol::FRAME_MIN),
            output: RefCell::default(),
            tags: RefCell::default(),
            exchanges: RefCell::default(),
            ends: RefCell::default(),
            loss: RefCell::default(),
            written: Notify::new(),
            ending: Cell::new(false),
            ended: Notify::new(),
        }
    }

    /// True if messages can be sent now.
    pub(super) fn is_usable(&self) -> bool {
        self.open.get() && !self.blocked.get() && self.loss.borrow().is_none()
    }

    /// Has what was put into [`output`](Self::output) written, up to the message `tag`.
    pub(super) fn write_up_to(&self, tag: u64) {
        let end = self.output.borrow().len();
        self.ends.borrow_mut().push_back((end, tag));
        self.written.notify_one();
    }

    /// Says good bye to the server, if it is there.
    pub(super) async fn end(&self) {
        self.ending.set(true);
        if self.open.get() {
            self.written.notify_one();
            // It may be lost just now.
            drop(timeout(CLOSE_LIMIT * 2, self.ended.notified()).await);
        }
    }

    fn lose(&self, loss: Loss) {
        self.open.set(false);
        self.output.borrow_mut().clear();
        self.ends.borrow_mut().clear();
        self.exchanges.borrow_mut().forget_found();
        self.tags.replace(Tags::default());
        self.loss.replace(Some(loss));
    }
}

/// Keeps the connection up. Runs until [`Line::end`]. `progress` is rung at each change.
pub(super) async fn run(
    line: Rc<Line>,
    server: Server,
    dialer: Rc<Dialer>,
    presence: Rc<Presence>,
    progress: Rc<Notify>,
) {
    let failed = |why: &str| presence.failed(line.index, Role::Publish, why);
    let mut reconnect = Reconnect::new(&dialer.settings);
    let mut renewals = dialer.tls.renewals();
    loop {
        renewals.mark_unchanged();
        let session = reconnect.connect(&server, &dialer, failed).await;
        line.blocked.set(false);
        line.frame_max.set(session.frame_max);
        let ends = serve(
            &line,
            session,
            &dialer,
            &server,
            &mut renewals,
            &presence,
            &progress,
        );
        if let Some(session) = ends.await {
            session.end().await;
            line.ended.notify_one();
            return;
        }
    }
}

/// Writes and listens until the connection is lost; or until [`Line::end`], then the session is left.
pub(super) async fn serve(
    line: &Line,
    session: Session,
    dialer: &Rc<Dialer>,
    server: &Server,
    renewals: &mut watch::Receiver<u64>,
    presence: &Presence,
    progress: &Notify,
) -> Option<Session> {
    let ear = Ear {
        line,
        presence,
        progress,
    };
    let mut writer = Writer {
        session,
        ear,
        confirms: dialer.settings.publisher_confirms,
        ends: Ends::new(),
        taken_bytes: 0,
        taken_up_to: 0,
        base: 0,
        asked: None,
        can_ask: false,
        forced: true,
        successor: None,
    };
    let why = writer.serve(renewals, || again(dialer, server)).await;
    let Writer {
        session, forced, ..
    } = writer;
    let Err(why) = why else {
        return Some(session);
    };
    let outstanding = line.tags.borrow().outstanding();
    line.lose(if forced || outstanding == 0 {
        Loss::Connection
    } else {
        Loss::Refusal {
            why: why.clone(),
            outstanding,
        }
    });
    line.exchanges.borrow_mut().forget();
    presence.down(line.index, Role::Publish, &why);
    progress.notify_one();
    None
}

/// Who is to hear what the server says.
#[derive(Clone, Copy)]
struct Ear<'a> {
    line: &'a Line,
    presence: &'a Presence,
    progress: &'a Notify,
}

struct Writer<'a> {
    session: Session,
    ear: Ear<'a>,
    confirms: bool,
    /// Of what is in the session's buffer, and its bytes when it came there.
    ends: Ends,
    taken_bytes: usize,
    /// The exchange that the server was asked for.
    asked: Option<Vec<u8>>,
    /// The channel for that is open.
    can_ask: bool,
    /// The last message that is in the session's buffer, or was.
    taken_up_to: u64,
    /// The last message before the first of this channel.
    base: u64,
    /// No message was the reason for the end.
    forced: bool,
    /// A connection with other certificates, which waits until nothing is on its way here.
    successor: Option<Session>,
}

impl Writer<'_> {
    /// Ok at the end that was asked for.
    async fn serve(
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

    fn open_channel(&mut self) {
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

    fn understand(&mut self) -> Result<(), String> {
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
                        tags.settle(self.base + tag, multiple, taken);
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

    fn block(&self, why: Option<&str>) {
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
