//! The connection to one server for publishing: what [`publish`](super::publish) puts into its buffer
//! is written, and what the server says about it is noted.

mod input;
mod writer;

use super::confirm::Tags;
use super::connect::{Dialer, Reconnect, again};
use super::exchange::Exchanges;
use super::presence::{Presence, Role};
use super::protocol::FRAME_MIN;
use super::session::{CLOSE_LIMIT, Session};
use crate::kazoo::server::Server;
use bytes::BytesMut;
use input::Ear;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use writer::Writer;

/// The one channel for messages.
pub(super) const CHANNEL: u16 = 1;

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
            frame_max: Cell::new(FRAME_MIN),
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
    let mut writer = Writer::new(session, ear, dialer.settings.publisher_confirms);
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
