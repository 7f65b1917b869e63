//! One subscription: its messages go to its event worker's inbox.
//!
//! While the inbox is full nothing is read, so TCP holds the server back; nothing is dropped here.

use super::presence::Presence;
use super::protocol::{Message, Op, parse};
use super::session::{self, Failover, Session, connect, shown};
use crate::frame::nats::{EVENT_OVERHEAD, Event};
use crate::link::Inbound;
use crate::module::arrived;
use crate::nats::settings::{Settings, Subscription};
use crate::nats::subject::SUBJECT_BYTES_MAX;
use bytes::Buf;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Runs until the engine drains.
pub(super) async fn run(
    settings: Rc<Settings>,
    presence: Rc<Presence>,
    line: Subscription,
    mut inbound: Inbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut failover = Failover::default();
    let consume = async {
        loop {
            let mut session = connect(&settings, &presence, &mut failover).await;
            let server = session.server.clone();
            if let Err(why) = subscribe(&mut session, &line).await {
                presence.failed(&server, &why);
                tokio::time::sleep(Duration::from_millis(settings.reconnect_wait_ms_max)).await;
                continue;
            }
            presence.up(&server);
            let Err(why) = serve(session, &settings, &presence, &mut inbound).await;
            presence.down(&server, &why);
        }
    };
    tokio::select! {
        () = consume => {}
        // Messages that were not read stay with the server's other subscribers.
        _ = drain.wait_for(|drain| *drain) => {}
    }
}

/// Subscribes, and waits until the server has understood.
pub(super) async fn subscribe(session: &mut Session, line: &Subscription) -> Result<(), String> {
    let text = format!("SUB {} {} 1\r\nPING\r\n", line.subject, line.queue);
    session::write(&mut session.writer, text.as_bytes()).await?;
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
        session::read(&mut session.reader, &mut session.buffer).await?;
    }
}

/// Hands on what the server sends, until the connection ends.
pub(super) async fn serve(
    session: Session,
    settings: &Settings,
    presence: &Presence,
    inbound: &mut Inbound,
) -> Result<Infallible, String> {
    let mut consumer = Consumer {
        session,
        presence,
        inbound,
        skip: 0,
        interval: Duration::from_millis(settings.ping_interval_ms),
    };
    consumer.serve().await
}

struct Consumer<'a> {
    session: Session,
    presence: &'a Presence,
    inbound: &'a mut Inbound,
    /// Bytes of a message too large for the inbox that are still to come.
    skip: usize,
    interval: Duration,
}

impl Consumer<'_> {
    async fn serve(&mut self) -> Result<Infallible, String> {
        let mut unanswered = 0;
        let mut test_at = Instant::now() + self.interval;
        // What came together with the answer to SUB.
        self.understand(&mut unanswered).await?;
        loop {
            let Session { reader, buffer, .. } = &mut self.session;
            let heard = tokio::select! {
                read = session::read(reader, buffer) => read.map(|()| true)?,
                () = tokio::time::sleep_until(test_at) => false,
            };
            if heard {
                self.understand(&mut unanswered).await?;
                continue;
            }
            if unanswered >= 2 {
                return Err("it does not answer any more".to_owned());
            }
            unanswered += 1;
            test_at = Instant::now() + self.interval;
            session::write(&mut self.session.writer, b"PING\r\n").await?;
        }
    }

    /// Handles every whole operation in the buffer.
    async fn understand(&mut self, unanswered: &mut u32) -> Result<(), String> {
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
                Op::Pong => *unanswered = 0,
                Op::Error(why) => self.presence.complained(&self.session.server, &shown(why)),
                Op::Info(_) | Op::Ok => {}
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
