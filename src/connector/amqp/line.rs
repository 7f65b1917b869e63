//! The connection to one server for publishing: what [`publish`](super::publish) puts into its buffer
//! is written, and what the server says about it is noted.

use super::confirm::Tags;
use super::exchange::Exchanges;
use super::presence::{Presence, Role};
use super::protocol::{
    CONNECTION_FORCED, Closing, Frame, Method, NOT_FOUND, method, parse, put_bare, put_method,
    put_short, put_table,
};
use super::session::{CLOSE_LIMIT, Reconnect, Session, closed};
use crate::kazoo::server::Server;
use crate::kazoo::settings::Settings;
use bytes::{Buf, BufMut, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;
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
    settings: Rc<Settings>,
    presence: Rc<Presence>,
    progress: Rc<Notify>,
) {
    let failed = |why: &str| presence.failed(line.index, Role::Publish, why);
    let mut reconnect = Reconnect::new(&settings);
    loop {
        let session = reconnect.connect(&server, &settings, failed).await;
        line.blocked.set(false);
        line.frame_max.set(session.frame_max);
        let ear = Ear {
            line: &line,
            presence: &presence,
            progress: &progress,
        };
        let mut writer = Writer {
            session,
            ear,
            confirms: settings.publisher_confirms,
            ends: Ends::new(),
            taken_bytes: 0,
            asked: None,
            can_ask: false,
            forced: true,
        };
        let why = writer.serve().await;
        let Writer {
            session, forced, ..
        } = writer;
        let Err(why) = why else {
            session.end().await;
            line.ended.notify_one();
            return;
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
    }
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
    /// No message was the reason for the end.
    forced: bool,
}

impl Writer<'_> {
    /// Ok at the end that was asked for.
    async fn serve(&mut self) -> Result<(), String> {
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
            tokio::select! {
                step = self.session.step(true) => step?,
                () = self.ear.line.written.notified() => {}
            }
        }
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
        if self.asked.is_some() {
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
        let mut output = self.ear.line.output.borrow_mut();
        if !output.is_empty() {
            std::mem::swap(&mut self.session.output, &mut output);
            self.taken_bytes = self.session.output.len();
            self.ends = std::mem::take(&mut self.ear.line.ends.borrow_mut());
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
                        tags.settle(tag, multiple, taken);
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
