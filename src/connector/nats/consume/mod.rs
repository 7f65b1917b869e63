//! One subscription: its messages go to its event worker's inbox.
//!
//! While the inbox is full nothing is read, so TCP holds the server back; nothing is dropped here.

mod renew;

use super::dialer::{Dialer, Failover};
use super::presence::Presence;
use super::protocol::{Message, Op, parse};
use super::session::{self, Session, connect, shown};
use crate::connector::stream;
use crate::frame::nats::{EVENT_OVERHEAD, Event};
use crate::link::Inbound;
use crate::module::arrived;
use crate::nats::settings::Subscription;
use crate::nats::subject::SUBJECT_BYTES_MAX;
use bytes::Buf;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Messages that may come before the answer to SUB: more than what one may hold (64 MiB).
const EARLY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Runs until the engine drains.
pub(super) async fn run(
    dialer: Rc<Dialer>,
    presence: Rc<Presence>,
    line: Subscription,
    mut inbound: Inbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut failover = Failover::default();
    let consume = async {
        let mut renewals = dialer.tls.renewals();
        loop {
            renewals.mark_unchanged();
            let mut session = connect(&dialer, &presence, &mut failover).await;
            let server = session.server.clone();
            if let Err(why) = subscribe(&mut session, &line, dialer.limit()).await {
                presence.failed(&server, &why);
                let pause = Duration::from_millis(dialer.settings.reconnect_wait_ms_max);
                tokio::time::sleep(pause).await;
                continue;
            }
            presence.up(&server);
            let Err(why) = serve(
                session,
                &dialer,
                &presence,
                &line,
                &mut inbound,
                &mut renewals,
            )
            .await;
            presence.down(&server, &why);
        }
    };
    tokio::select! {
        () = consume => {}
        // Messages that were not read stay with the server's other subscribers.
        _ = drain.wait_for(|drain| *drain) => {}
    }
}

/// Subscribes, and waits until the server has understood, for so long between two things that it says.
pub(super) async fn subscribe(
    session: &mut Session,
    line: &Subscription,
    limit: Duration,
) -> Result<(), String> {
    let silent = |_| "it does not answer to a subscription".to_owned();
    let text = format!("SUB {} {} 1\r\nPING\r\n", line.subject, line.queue);
    let write = session::write(&mut session.writer, text.as_bytes());
    timeout(limit, write).await.map_err(silent)??;
    loop {
        // Messages may come before the PONG: they stay in the buffer, behind what is looked at.
        let (mut at, mut answered) = (0, false);
        while let Some((op, len)) = parse(session.buffer.get(at..).unwrap_or_default(), usize::MAX)?
        {
            match op {
                Op::Error(why) => return Err(shown(why)),
                Op::Pong => answered = true,
                _ => {}
            }
            at += len;
        }
        if answered {
            return Ok(());
        }
        if session.buffer.len() > EARLY_BYTES_MAX {
            return Err("it sends messages, but no answer to the subscription".to_owned());
        }
        let read = session::read(&mut session.reader, &mut session.buffer);
        timeout(limit, read).await.map_err(silent)??;
    }
}

/// Hands on what the server sends, until the connection ends.
pub(super) async fn serve(
    session: Session,
    dialer: &Rc<Dialer>,
    presence: &Presence,
    line: &Subscription,
    inbound: &mut Inbound,
    renewals: &mut watch::Receiver<u64>,
) -> Result<Infallible, String> {
    let mut consumer = Consumer {
        session,
        presence,
        inbound,
        skip: 0,
        unanswered: 0,
        silences: 0,
        interval: Duration::from_millis(dialer.settings.ping_interval_ms),
        dialer,
        line,
    };
    consumer.serve(renewals).await
}

/// What a consumer has to see to.
enum Step {
    Heard,
    Renew,
    Made(Result<Box<Session>, String>),
    Test,
}

struct Consumer<'a> {
    session: Session,
    presence: &'a Presence,
    inbound: &'a mut Inbound,
    /// Bytes of a message too large for the inbox that are still to come.
    skip: usize,
    /// Tests that the server has not answered yet.
    unanswered: u32,
    /// Tests in a row since anything came: where a worker is slow, an answer stands behind many messages.
    silences: u32,
    interval: Duration,
    dialer: &'a Rc<Dialer>,
    line: &'a Subscription,
}

impl Consumer<'_> {
    async fn serve(&mut self, renewals: &mut watch::Receiver<u64>) -> Result<Infallible, String> {
        let mut test_at = Instant::now() + self.interval;
        // A connection with other certificates.
        let mut coming = None;
        // What came together with the answer to SUB.
        self.understand().await?;
        loop {
            let Session { reader, buffer, .. } = &mut self.session;
            let step = tokio::select! {
                read = session::read(reader, buffer) => read.map(|()| Step::Heard)?,
                Ok(()) = renewals.changed(), if coming.is_none() => Step::Renew,
                made = stream::made(&mut coming), if coming.is_some() => Step::Made(made),
                () = tokio::time::sleep_until(test_at) => Step::Test,
            };
            match step {
                Step::Heard => {
                    self.silences = 0;
                    self.understand().await?;
                }
                Step::Renew => coming = Some(self.successor()),
                Step::Made(made) => {
                    coming = None;
                    self.replace(made).await?;
                }
                Step::Test => {
                    if self.silences >= 2 {
                        return Err("it does not answer any more".to_owned());
                    }
                    self.silences += 1;
                    self.unanswered += 1;
                    test_at = Instant::now() + self.interval;
                    session::write(&mut self.session.writer, b"PING\r\n").await?;
                }
            }
        }
    }

    /// Handles every whole operation in the buffer.
    async fn understand(&mut self) -> Result<(), String> {
        // Subject and reply travel in front of what the server counts as the message.
        let most = self.inbound.event_bytes_max();
        let most = most.saturating_sub(EVENT_OVERHEAD + 2 * SUBJECT_BYTES_MAX);
        let mut pongs = 0;
        let mut at = 0;
        loop {
            let rest = self.session.buffer.get(at..).unwrap_or_default();
            if self.skip > 0 {
                let skipped = self.skip.min(rest.len());
                self.skip -= skipped;
                at += skipped;
                if self.skip > 0 {
                    break;
                }
                continue;
            }
            let Some((op, len)) = parse(rest, most)? else {
                break;
            };
            match op {
                Op::Message(message) => stage(self.inbound, &message).await,
                Op::TooLarge(bytes) => {
                    self.inbound.count(arrived::OVERSIZED, 1);
                    log::error!("nats: a message of {bytes} bytes is over inbox_size: left out");
                    self.skip = bytes;
                }
                Op::Ping => pongs += 1,
                Op::Pong => self.unanswered = self.unanswered.saturating_sub(1),
                Op::Error(why) => self.presence.complained(&self.session.server, &shown(why)),
                Op::Info(json) => {
                    let info = session::understood(json)?;
                    self.dialer.discover(&info, &self.session.peer);
                }
                Op::Ok => {}
            }
            at += len;
        }
        self.session.buffer.advance(at);
        self.inbound.deliver();
        for _ in 0..pongs {
            session::write(&mut self.session.writer, b"PONG\r\n").await?;
        }
        Ok(())
    }
}

async fn stage(inbound: &mut Inbound, message: &Message<'_>) {
    let Message {
        subject,
        reply,
        headers,
        payload,
    } = *message;
    let event = Event::Message {
        subject,
        reply,
        headers,
        payload,
    };
    let header = match event.header() {
        Ok(header) => header,
        Err(error) => {
            log::error!("nats: a message cannot be handed to its worker: {error:?}");
            return;
        }
    };
    let parts = [header.bytes(), subject, reply, headers, payload, b"\0"];
    match inbound.stage(&parts).await {
        Ok(()) => inbound.count(arrived::RECEIVED, 1),
        Err(error) => {
            inbound.count(arrived::OVERSIZED, 1);
            log::error!(
                "nats: a message is over inbox_size, of which {} bytes can be used: left out",
                error.event_bytes_max
            );
        }
    }
}
