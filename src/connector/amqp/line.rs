//! The connection to one server for publishing: what [`publish`](super::publish) puts into its buffer
//! is written, and what the server says about it is noted.

use super::confirm::Tags;
use super::presence::{Presence, Role};
use super::protocol::{
    CONNECTION_FORCED, Closing, Frame, Method, method, parse, put_bare, put_method, put_short,
};
use super::session::{CLOSE_LIMIT, Reconnect, Session, closed};
use crate::kazoo::server::Server;
use crate::kazoo::settings::Settings;
use bytes::{Buf, BufMut, BytesMut};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The one channel.
pub(super) const CHANNEL: u16 = 1;

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
    /// Set until the publisher has looked.
    pub(super) loss: RefCell<Option<Loss>>,
    /// Rung by the publisher when there is something to write.
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
        let confirms = settings.publisher_confirms;
        let served = serve(&line, session, confirms, &presence, &progress).await;
        if let Some(session) = served {
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
    confirms: bool,
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
        confirms,
        taken_up_to: 0,
        forced: true,
    };
    let why = writer.serve().await;
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
    /// Without confirms: the last message that is in the session's buffer.
    taken_up_to: u64,
    /// No message was the reason for the end.
    forced: bool,
}

impl Writer<'_> {
    /// Ok at the end that was asked for.
    async fn serve(&mut self) -> Result<(), String> {
        self.open_channel();
        loop {
            self.understand()?;
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

    /// Everything is written: what comes next is taken over, without a copy.
    fn flushed(&mut self) {
        if !self.confirms && self.taken_up_to > 0 {
            let taken_up_to = std::mem::take(&mut self.taken_up_to);
            let mut tags = self.ear.line.tags.borrow_mut();
            tags.settle(taken_up_to, true, true);
            self.ear.progress.notify_one();
        }
        let mut output = self.ear.line.output.borrow_mut();
        if !output.is_empty() {
            std::mem::swap(&mut self.session.output, &mut output);
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
        while let Some((_, frame, len)) = parse(input, *frame_max)? {
            if let Frame::Method(method) = frame {
                match method {
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
