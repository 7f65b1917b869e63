//! Delivers the lanes' frames.
//!
//! Frames are copied from the lanes into one buffer per batch. A PING follows each batch: its PONG
//! says that the server has read everything before it, and only then the frames are released. So
//! what a dying server had in its socket is sent again.

use super::presence::Presence;
use super::protocol::{Info, Op, parse, put_publish};
use super::session::{self, Failover, Session, connect, shown};
use crate::frame::nats::Publish;
use crate::link::{Mark, Outbound, Verdict};
use crate::nats::settings::Settings;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
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
}

/// Runs until the engine drains and everything is delivered.
pub(super) async fn run(
    settings: Rc<Settings>,
    presence: Rc<Presence>,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut failover = Failover::default();
    loop {
        let session = tokio::select! {
            session = connect(&settings, &presence, &mut failover) => session,
            () = nothing_left(&mut drain, &mut outbound) => return,
        };
        let server = session.server.clone();
        presence.board().message_bytes_max(session.info.max_payload);
        presence.up(&server);
        match serve(session, &settings, &presence, &mut outbound, &mut drain).await {
            End::Drained => return,
            End::Lost(why) => presence.down(&server, &why),
        }
    }
}

/// Sends what the lanes have, until the connection ends.
pub(super) async fn serve(
    session: Session,
    settings: &Settings,
    presence: &Presence,
    outbound: &mut Outbound,
    drain: &mut watch::Receiver<bool>,
) -> End {
    outbound.rewind();
    let mut publisher = Publisher::new(session, settings, presence, outbound);
    publisher.serve(drain).await
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
    session: Session,
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
        settings: &Settings,
        presence: &'a Presence,
        outbound: &'a mut Outbound,
    ) -> Self {
        Self {
            session,
            presence,
            outbound,
            batch: BytesMut::new(),
            marks: VecDeque::new(),
            in_flight: 0,
            spare: Vec::new(),
            unflushed: false,
            leaving: false,
            interval: Duration::from_millis(settings.ping_interval_ms),
            last_heard: Instant::now(),
        }
    }

    async fn serve(&mut self, drain: &mut watch::Receiver<bool>) -> End {
        let mut draining = false;
        let mut test_at = Instant::now() + self.interval;
        loop {
            if self.batch.is_empty() && !self.unflushed {
                self.fill();
            }
            if self.batch.is_empty() && !self.unflushed && self.marks.is_empty() {
                if self.leaving {
                    return End::Lost("it is shutting down (lame duck mode)".to_owned());
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
            let idle = !sends && !self.leaving && self.in_flight < IN_FLIGHT_COST;
            let Session {
                reader,
                writer,
                buffer,
                ..
            } = &mut self.session;
            let step = tokio::select! {
                read = session::read(reader, buffer) => read.map(|()| Step::Read),
                sent = send(writer, &mut self.batch), if sends => sent.map(Step::Sent),
                () = self.outbound.ready(), if idle => Ok(Step::Fill),
                _ = drain.wait_for(|drain| *drain), if !draining => Ok(Step::Drain),
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

    /// Takes the next batch from the lanes.
    fn fill(&mut self) {
        if self.leaving || self.in_flight >= IN_FLIGHT_COST {
            return;
        }
        let Self {
            batch,
            session,
            outbound,
            ..
        } = self;
        let limit = session.info.max_payload;
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
                    self.presence.board().message_bytes_max(info.max_payload);
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
    Test,
}

/// Writes what fits, or flushes when there is nothing to write: TLS keeps bytes until then, for TCP it
/// does nothing. True if a flush is due. May be dropped and called again.
async fn send<W: AsyncWrite + Unpin>(writer: &mut W, batch: &mut BytesMut) -> Result<bool, String> {
    let sent = if batch.is_empty() {
        writer.flush().await.map(|()| false)
    } else {
        writer.write_buf(batch).await.map(|_| true)
    };
    sent.map_err(|error| error.to_string())
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
