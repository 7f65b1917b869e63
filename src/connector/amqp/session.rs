//! One connection to one server: logs in, reads and writes, keeps alive, says good bye.

use super::encode::{
    Field, GREETING, put_bare, put_close, put_heartbeat, put_long, put_method, put_short, put_table,
};
use super::protocol::{Closing, FRAME_MIN, Frame, Method, method, parse};
use crate::connector::stream::{READ_BYTES, read, send};
use crate::connector::tls::told;
use crate::kazoo::server::Server;
use bytes::{Buf, BufMut, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

/// How long a server may take to answer a good bye.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// The largest frames that are asked for, and taken where the server has no limit.
const FRAME_MAX: u32 = 128 * 1024;

/// A connection that is logged in.
pub(super) struct Session {
    reader: Box<dyn AsyncRead + Unpin>,
    writer: Box<dyn AsyncWrite + Unpin>,
    /// Bytes read and not yet understood.
    pub(super) input: BytesMut,
    /// Bytes to write.
    pub(super) output: BytesMut,
    /// The largest frame.
    pub(super) frame_max: usize,
    /// Interval of heartbeats, if there are any.
    heartbeat: Option<Duration>,
    /// There is a certificate to show.
    pub(super) has_certificate: bool,
    unflushed: bool,
    heard: Instant,
    spoke: Instant,
}

impl Session {
    /// A connection that is still to be logged in.
    pub(super) fn over(
        reader: Box<dyn AsyncRead + Unpin>,
        writer: Box<dyn AsyncWrite + Unpin>,
    ) -> Self {
        let now = Instant::now();
        Self {
            reader,
            writer,
            input: BytesMut::with_capacity(READ_BYTES),
            output: BytesMut::from(GREETING),
            frame_max: FRAME_MIN,
            heartbeat: None,
            has_certificate: false,
            unflushed: false,
            heard: now,
            spoke: now,
        }
    }

    pub(super) async fn negotiate(
        &mut self,
        server: &Server,
        heartbeat_s: u16,
    ) -> Result<(), String> {
        loop {
            while let Some((_, frame, len)) = parse(&self.input, self.frame_max)? {
                match frame {
                    Frame::Method(Method::Start(mechanisms)) => {
                        if !mechanisms
                            .split(|byte| *byte == b' ')
                            .any(|m| m == b"PLAIN")
                        {
                            return Err("it does not take passwords (PLAIN)".to_owned());
                        }
                        put_start_ok(&mut self.output, server);
                    }
                    Frame::Method(Method::Tune {
                        channel_max,
                        frame_max,
                        ..
                    }) => {
                        let frame_max = match frame_max {
                            0 => FRAME_MAX,
                            some => some.min(FRAME_MAX),
                        };
                        self.frame_max = usize::try_from(frame_max).unwrap_or(FRAME_MIN);
                        self.frame_max = self.frame_max.max(FRAME_MIN);
                        if heartbeat_s > 0 {
                            self.heartbeat = Some(Duration::from_secs(u64::from(heartbeat_s)));
                        }
                        put_method(&mut self.output, 0, method::CONNECTION_TUNE_OK, |out| {
                            out.put_u16(channel_max);
                            out.put_u32(frame_max);
                            out.put_u16(heartbeat_s);
                        });
                        put_method(&mut self.output, 0, method::CONNECTION_OPEN, |out| {
                            put_short(out, server.vhost.as_bytes());
                            put_short(out, b"");
                            out.put_u8(0);
                        });
                    }
                    Frame::Method(Method::Other(method::CONNECTION_OPEN_OK)) => {
                        self.input.advance(len);
                        return Ok(());
                    }
                    Frame::Method(Method::ConnectionClose(closing)) => return Err(closing.shown()),
                    _ => {}
                }
                self.input.advance(len);
            }
            self.step(true).await?;
        }
    }

    /// Writes what is in `output`, reads if `reads`, keeps alive; returns when one of them has made
    /// progress. May be dropped and called again.
    pub(super) async fn step(&mut self, reads: bool) -> Result<(), String> {
        let sends = self.unflushed || !self.output.is_empty();
        let test_at = self.test_at(reads);
        let Self {
            reader,
            writer,
            input,
            output,
            ..
        } = self;
        tokio::select! {
            read = read(reader, input), if reads => {
                read.map_err(|error| told(&error, self.has_certificate))?;
                self.heard = Instant::now();
            }
            sent = send(writer, output), if sends => {
                self.unflushed = match sent {
                    Ok(unflushed) => unflushed,
                    Err(error) => return Err(self.last_words(&error).await),
                };
                self.spoke = Instant::now();
            }
            () = tokio::time::sleep_until(test_at.unwrap_or_else(Instant::now)), if test_at.is_some() => {
                self.test(reads)?;
            }
            else => std::future::pending().await,
        }
        if !reads {
            // Its silence is ours.
            self.heard = Instant::now();
        }
        Ok(())
    }

    /// Why nothing can be written any more: a server that refuses our certificate says so before it
    /// hangs up.
    async fn last_words(&mut self, error: &io::Error) -> String {
        let read = timeout(CLOSE_LIMIT, read(&mut self.reader, &mut self.input)).await;
        match read {
            Ok(Err(why)) if why.get_ref().is_some() => told(&why, self.has_certificate),
            _ => error.to_string(),
        }
    }

    /// True when everything was written.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty() && !self.unflushed
    }

    fn test_at(&self, reads: bool) -> Option<Instant> {
        let heartbeat = self.heartbeat?;
        let speak_at = self.spoke + heartbeat / 2;
        Some(if reads {
            speak_at.min(self.heard + heartbeat * 2)
        } else {
            speak_at
        })
    }

    fn test(&mut self, reads: bool) -> Result<(), String> {
        let Some(heartbeat) = self.heartbeat else {
            return Ok(());
        };
        if reads && self.heard.elapsed() >= heartbeat * 2 {
            return Err("it does not answer any more".to_owned());
        }
        if self.spoke.elapsed() >= heartbeat / 2 {
            if self.output.is_empty() {
                put_heartbeat(&mut self.output);
            }
            // Where nothing can be written, one heartbeat waits for that, not many.
            self.spoke = Instant::now();
        }
        Ok(())
    }

    /// Says good bye, so that the server knows that this was meant.
    pub(super) async fn end(mut self) {
        put_close(&mut self.output, 0);
        let answered = async {
            loop {
                while let Ok(Some((_, frame, len))) = parse(&self.input, self.frame_max) {
                    if frame == Frame::Method(Method::Other(method::CONNECTION_CLOSE_OK)) {
                        return;
                    }
                    self.input.advance(len);
                }
                if self.step(true).await.is_err() {
                    return;
                }
            }
        };
        // It ends either way.
        drop(timeout(CLOSE_LIMIT, answered).await);
    }
}

/// Answers what the server says before it closes the connection; the reason.
pub(super) fn closed(output: &mut BytesMut, closing: &Closing<'_>) -> String {
    put_bare(output, 0, method::CONNECTION_CLOSE_OK);
    format!("it closed the connection: {}", closing.shown())
}

fn put_start_ok(out: &mut BytesMut, server: &Server) {
    const CAPABILITIES: &[(&str, Field<'_>)] = &[
        ("publisher_confirms", Field::Flag(true)),
        ("basic.nack", Field::Flag(true)),
        ("consumer_cancel_notify", Field::Flag(true)),
        ("connection.blocked", Field::Flag(true)),
        ("authentication_failure_close", Field::Flag(true)),
    ];
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let properties = [
        (&b"product"[..], Field::Text(b"sipbus")),
        (b"version", Field::Text(version)),
        (b"platform", Field::Text(b"Rust")),
        (b"capabilities", Field::Table(CAPABILITIES)),
    ];
    put_method(out, 0, method::CONNECTION_START_OK, |out| {
        put_table(out, properties);
        put_short(out, b"PLAIN");
        let login = format!("\0{}\0{}", server.user, server.password);
        put_long(out, login.as_bytes());
        put_short(out, b"en_US");
    });
}
