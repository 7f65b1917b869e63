//! Sends over one connection, until it ends or another takes its place.

use super::End;
use super::in_flight::InFlight;
use crate::connector::nats::dialer::Dialer;
use crate::connector::nats::presence::Presence;
use crate::connector::nats::protocol::{Op, parse};
use crate::connector::nats::session::{self, Session, Successor, shown};
use crate::connector::stream;
use crate::link::Outbound;
use bytes::{Buf, BytesMut};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What a publisher has to see to.
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

/// See the module.
pub(super) struct Publisher<'a> {
    dialer: &'a Rc<Dialer>,
    session: Session,
    /// A connection with other certificates, in the making and made.
    coming: Option<Successor>,
    successor: Option<Box<Session>>,
    presence: &'a Presence,
    outbound: &'a mut Outbound,
    /// Bytes to write.
    output: BytesMut,
    in_flight: InFlight,
    /// Something was written since the last flush.
    unflushed: bool,
    /// The server asks to leave.
    leaving: bool,
    interval: Duration,
    last_heard: Instant,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(
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
            output: BytesMut::new(),
            in_flight: InFlight::default(),
            unflushed: false,
            leaving: false,
            interval: Duration::from_millis(dialer.settings.ping_interval_ms),
            last_heard: Instant::now(),
        }
    }

    pub(super) async fn serve(
        &mut self,
        drain: &mut watch::Receiver<bool>,
        renewals: &mut watch::Receiver<u64>,
    ) -> End {
        let mut draining = false;
        let mut test_at = Instant::now() + self.interval;
        loop {
            if self.output.is_empty() && !self.unflushed {
                self.fill();
            }
            if self.output.is_empty() && !self.unflushed && self.in_flight.is_empty() {
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
            let sends = self.unflushed || !self.output.is_empty();
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
                sent = stream::send(writer, &mut self.output), if sends => {
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
        !self.leaving && self.successor.is_none() && !self.in_flight.is_full()
    }

    /// Takes the next batch from the lanes.
    fn fill(&mut self) {
        if self.takes() {
            let limit = self.session.info.message_bytes_max();
            self.in_flight.take(self.outbound, &mut self.output, limit);
        }
    }

    /// Handles what the server has said.
    pub(super) fn understand(&mut self) -> Result<(), String> {
        self.last_heard = Instant::now();
        while let Some((op, len)) = parse(&self.session.buffer, 0)? {
            match op {
                Op::Pong => self.in_flight.confirm(self.outbound),
                Op::Ping => self.output.extend_from_slice(b"PONG\r\n"),
                Op::Info(json) => {
                    let info = session::understood(json)?;
                    self.dialer.discover(&info, &self.session.peer);
                    self.presence
                        .board()
                        .message_bytes_max(info.message_bytes_max());
                    // Where there is no other, it takes messages until it closes the connection.
                    self.leaving |= info.ldm && self.dialer.servers() > 1;
                    self.session.info = info;
                }
                Op::Error(why) => {
                    let why = shown(why);
                    if why.starts_with("Permissions Violation for Publish") {
                        self.in_flight.reject_one();
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
        if self.last_heard.elapsed() >= self.interval * 2 && !self.in_flight.is_empty() {
            return Err("it does not answer any more".to_owned());
        }
        if self.in_flight.is_empty() {
            self.in_flight.test(&mut self.output);
        }
        Ok(())
    }
}
