//! The connection to one server for publishing: what [`publish`](super::publish) puts into its buffer
//! is written, and what the server says about it is noted.

use super::confirm::Tags;
use super::presence::{Presence, Role};
use super::protocol::{
    CONNECTION_FORCED, Closing, Frame, Method, method, parse, put_bare, put_method, put_short,
};
use super::session::{CLOSE_LIMIT, Dialer, Reconnect, Session, Successor, again, closed, made};
use crate::kazoo::server::Server;
use bytes::{Buf, BufMut, BytesMut};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::{Notify, watch};
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
        let ear = Ear {
            line: &line,
            presence: &presence,
            progress: &progress,
        };
        let mut writer = Writer {
            session,
            ear,
            confirms: dialer.settings.publisher_confirms,
            taken_up_to: 0,
            base: 0,
            forced: true,
            successor: None,
        };
        let why = writer
            .serve(&mut renewals, || again(&dialer, &server))
            .await;
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
        self.session.is_flushed() && settled >= self.taken_up_to
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

    /// Everything is written: what comes next is taken over, without a copy.
    fn flushed(&mut self) {
        let mut tags = self.ear.line.tags.borrow_mut();
        if !self.confirms && self.taken_up_to > tags.settled() {
            tags.settle(self.taken_up_to, true, true);
            self.ear.progress.notify_one();
        }
        if self.successor.is_some() {
            return;
        }
        let mut output = self.ear.line.output.borrow_mut();
        if !output.is_empty() {
            std::mem::swap(&mut self.session.output, &mut output);
            self.taken_up_to = tags.given();
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
