//! Delivers the lanes' frames.
//!
//! Frames are copied from the lanes into one buffer per batch. A PING follows each batch: its PONG
//! says that the server has read everything before it, and only then the frames are released. So
//! what a dying server had in its socket is sent again.

use super::presence::Presence;
use super::protocol::{Info, Op, parse, put_publish};
use super::session::{self, Dialer, Failover, Session, Successor, connect, shown};
use crate::connector::stream;
use crate::frame::nats::Publish;
use crate::link::{Mark, Outbound, Verdict};
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Cost of the frames that one PING confirms, if there are so many.
const BATCH_COST: usize = 64 * 1024;

/// Cost of what is on its way and not confirmed: what can arrive twice after a crash.
const IN_FLIGHT_COST: usize = 384 * 1024;

/// A frame costs its bytes, but no less than this: many small ones are as many duplicates.
const FRAME_COST_MIN: usize = 256;

/// Why serving a connection ended.
pub(super) enum End {
    /// Everything accepted is delivered, and nothing more is accepted.
    Drained,
    Lost(String),
    /// Another connection takes its place, and nothing is on its way.
    Replaced(Box<Session>),
}

/// Runs until the engine drains and everything is delivered.
pub(super) async fn run(
    dialer: Rc<Dialer>,
    presence: Rc<Presence>,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut failover = Failover::default();
    let mut renewals = dialer.tls.renewals();
    let mut successor = None;
    loop {
        let session = if let Some(session) = successor.take() {
            session
        } else {
            renewals.mark_unchanged();
            let session = tokio::select! {
                session = connect(&dialer, &presence, &mut failover) => session,
                () = nothing_left(&mut drain, &mut outbound) => return,
            };
            outbound.rewind();
            presence.up(&session.server);
            session
        };
        let server = session.server.clone();
        presence
            .board()
            .message_bytes_max(session.info.message_bytes_max());
        match serve(
            session,
            &dialer,
            &presence,
            &mut outbound,
            &mut drain,
            &mut renewals,
        )
        .await
        {
            End::Drained => return,
            End::Lost(why) => presence.down(&server, &why),
            End::Replaced(session) => {
                presence.renewed(&server);
                successor = Some(*session);
            }
        }
    }
}

/// Sends what the lanes have, until the connection ends.
pub(super) async fn serve(
    session: Session,
    dialer: &Rc<Dialer>,
    presence: &Presence,
    outbound: &mut Outbound,
    drain: &mut watch::Receiver<bool>,
    renewals: &mut watch::Receiver<u64>,
) -> End {
    let mut publisher = Publisher::new(session, dialer, presence, outbound);
    publisher.serve(drain, renewals).await
}

/// Ends when the engine drains and there is nothing to deliver.
async fn nothing_left(drain: &mut watch::Receiver<bool>, outbound: &mut Outbound) {
    // A closed channel means that the engine is gone: drain as well.
    drop(drain.wait_for(|drain| *drain).await);
    outbound.rewind();
    if !outbound.is_empty() {
        std::future::pending::<()>().await;
    }
    outbound.close();
    if !outbound.is_empty() {
        // Accepted at the last moment.
        std::future::pending::<()>().await;
    }
}

struct Publisher<'a> {
    dialer: &'a Rc<Dialer>,
    session: Session,
    /// A connection with other certificates, in the making and made.
    coming: Option<Successor>,
    successor: Option<Box<Session>>,
    presence: &'a Presence,
    outbound: &'a mut Outbound,
    /// Bytes to write.
    batch: BytesMut,
    /// What each PONG to come confirms, and its cost, oldest first.
    marks: VecDeque<(Mark, usize)>,
    in_flight: usize,
    spare: Vec<Mark>,
    /// Something was written since the last flush.
    unflushed: bool,
    /// The server asks to leave.
    leaving: bool,
    interval: Duration,
    last_heard: Instant,
}

impl<'a> Publisher<'a> {
    fn new(
        session: Session,
        dialer: &'a Rc<Dialer>,
        presence: &'a Presence,
        outbound: &'a mut Outbound,
    ) -> Self {
        Self {
            dialer,
            session,
            coming: None,
            successor: None,
            presence,
            outbound,
            batch: BytesMut::new(),
            marks: VecDeque::new(),
            in_flight: 0,
            spare: Vec::new(),
            unflushed: false,
            leaving: false,
            interval: Duration::from_millis(dialer.settings.ping_interval_ms),
            last_heard: Instant::now(),
        }
    }

    async fn serve(
        &mut self,
        drain: &mut watch::Receiver<bool>,
        renewals: &mut watch::Receiver<u64>,
    ) -> End {
        let mut draining = false;
        let mut test_at = Instant::now() + self.interval;
        loop {
            if self.batch.is_empty() && !self.unflushed {
                self.fill();
            }
            if self.batch.is_empty() && !self.unflushed && self.marks.is_empty() {
                if let Some(end) = self.departs() {
                    return end;
                }
                if draining {
                    self.outbound.close();
                    if self.outbound.is_empty() {
                        return End::Drained;
                    }
                    continue;
                }
            }
            let sends = self.unflushed || !self.batch.is_empty();
            let idle = !sends && self.takes();
            let renews = self.coming.is_none() && self.successor.is_none();
            let Session {
                reader,
                writer,
                buffer,
                ..
            } = &mut self.session;
            let step = tokio::select! {
                read = session::read(reader, buffer) => read.map(|()| Step::Read),
                sent = stream::send(writer, &mut self.batch), if sends => {
                    sent.map(Step::Sent).map_err(|error| error.to_string())
                }
                () = self.outbound.ready(), if idle => Ok(Step::Fill),
                _ = drain.wait_for(|drain| *drain), if !draining => Ok(Step::Drain),
                Ok(()) = renewals.changed(), if renews => Ok(Step::Renew),
                made = stream::made(&mut self.coming), if self.coming.is_some() => Ok(Step::Made(made)),
                () = tokio::time::sleep_until(test_at) => Ok(Step::Test),
            };
            let done = match step {
                Ok(Step::Read) => self.understand(),
                Ok(Step::Sent(unflushed)) => {
                    self.unflushed = unflushed;
                    Ok(())
                }
                Ok(Step::Fill) => Ok(()),
                Ok(Step::Drain) => {
                    draining = true;
                    self.presence.draining();
                    Ok(())
                }
                Ok(Step::Renew) => {
                    self.coming = Some(self.session.again(self.dialer));
                    Ok(())
                }
                Ok(Step::Made(made)) => {
                    self.prepare(made);
                    Ok(())
                }
                Ok(Step::Test) => {
                    test_at = Instant::now() + self.interval;
                    self.test()
                }
                Err(why) => Err(why),
            };
            if let Err(why) = done {
                return End::Lost(why);
            }
        }
    }

    /// Why this connection is to end now that nothing is on its way, if it is.
    fn departs(&mut self) -> Option<End> {
        if self.leaving {
            let why = "it is shutting down (lame duck mode)";
            return Some(End::Lost(why.to_owned()));
        }
        self.successor.take().map(End::Replaced)
    }

    /// Another connection may take this one's place, when nothing is on its way here.
    fn prepare(&mut self, made: Result<Box<Session>, String>) {
        self.coming = None;
        match made {
            Ok(session) => self.successor = Some(session),
            Err(why) => self.presence.not_renewed(&self.session.server, &why),
        }
    }

    /// True if it may take more from the lanes.
    fn takes(&self) -> bool {
        !self.leaving && self.successor.is_none() && self.in_flight < IN_FLIGHT_COST
    }

    /// Takes the next batch from the lanes.
    fn fill(&mut self) {
        if !self.takes() {
            return;
        }
        let Self {
            batch,
            session,
            outbound,
            ..
        } = self;
        let limit = session.info.message_bytes_max();
        let mut cost = 0;
        let taken = outbound.take(BATCH_COST, |frame| {
            let verdict = encode(batch, frame, limit);
            if let Verdict::Sent(sent) = verdict {
                cost += sent;
            }
            verdict
        });
        if taken {
            batch.extend_from_slice(b"PING\r\n");
            let mut mark = self.spare.pop().unwrap_or_default();
            outbound.mark(&mut mark);
            self.in_flight += cost;
            self.marks.push_back((mark, cost));
        }
    }

    fn understand(&mut self) -> Result<(), String> {
        self.last_heard = Instant::now();
        while let Some((op, len)) = parse(&self.session.buffer, 0)? {
            match op {
                Op::Pong => {
                    if let Some((mark, cost)) = self.marks.pop_front() {
                        self.in_flight -= cost;
                        self.outbound.release(&mark);
                        self.spare.push(mark);
                    }
                }
                Op::Ping => self.batch.extend_from_slice(b"PONG\r\n"),
                Op::Info(json) => {
                    let info: Info = serde_json::from_slice(json).map_err(|e| e.to_string())?;
                    self.presence
                        .board()
                        .message_bytes_max(info.message_bytes_max());
                    self.leaving |= info.ldm;
                    self.session.info = info;
                }
                Op::Error(why) => {
                    let why = shown(why);
                    if why.starts_with("Permissions Violation for Publish")
                        && let Some((mark, _)) = self.marks.front_mut()
                    {
                        mark.reject_one();
                    }
                    self.presence.complained(&self.session.server, &why);
                }
                Op::Ok | Op::Message(_) | Op::TooLarge(_) => {}
            }
            self.session.buffer.advance(len);
        }
        Ok(())
    }

    /// An idle connection is tested; one that stays silent for two intervals is given up.
    fn test(&mut self) -> Result<(), String> {
        if self.last_heard.elapsed() >= self.interval * 2 && !self.marks.is_empty() {
            return Err("it does not answer any more".to_owned());
        }
        if self.marks.is_empty() {
            self.batch.extend_from_slice(b"PING\r\n");
            self.marks.push_back((Mark::default(), 0));
        }
        Ok(())
    }
}

enum Step {
    Read,
    /// Whether bytes may wait for a flush.
    Sent(bool),
    Fill,
    Drain,
    Renew,
    Made(Result<Box<Session>, String>),
    Test,
}

fn encode(batch: &mut BytesMut, frame: &[u8], limit: usize) -> Verdict {
    let Some(publish) = Publish::parse(frame) else {
        log::error!("nats: a frame that cannot be read is left out");
        return Verdict::Rejected;
    };
    if publish.payload.len() > limit {
        // Accepted while the server and its limit were not known.
        log::error!(
            "nats: a message of {} bytes for {} is over the server's limit of {limit}: left out",
            publish.payload.len(),
            String::from_utf8_lossy(publish.subject),
        );
        return Verdict::Rejected;
    }
    let before = batch.len();
    put_publish(batch, &publish);
    Verdict::Sent((batch.len() - before).max(FRAME_COST_MIN))
}
