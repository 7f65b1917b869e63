//! Connects, and tries again until it works.

use super::session::Session;
use super::tls;
use crate::connector::stream::{self, pauses};
use crate::connector::tls::Held;
use crate::kazoo::server::Server;
use crate::kazoo::settings::Settings;
use backon::ExponentialBackoff;
use rustix::net::sockopt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ClientConfig;

/// After a connection that was lost sooner than this the next attempt has a pause too.
const GOOD_RUN: Duration = Duration::from_secs(2);

/// How long the log-in may take on top: RabbitMQ itself waits before it refuses one.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// After so long without an answer from its machine a connection is lost, heartbeats or not.
const SILENCE_MS_MAX: u32 = 60_000;

/// See [`stream`].
pub(super) type Successor = stream::Successor<Session>;

/// What connections are made with.
pub(super) struct Dialer {
    pub(super) settings: Rc<Settings>,
    pub(super) tls: Rc<Held<Arc<ClientConfig>>>,
}

/// The pauses between attempts to connect.
pub(super) struct Reconnect {
    longest: Duration,
    pauses: ExponentialBackoff,
    /// When the last attempt worked.
    since: Option<Instant>,
}

impl Reconnect {
    pub(super) fn new(settings: &Settings) -> Self {
        let longest = Duration::from_millis(settings.reconnect_wait_ms_max);
        Self {
            longest,
            pauses: pauses(longest),
            since: None,
        }
    }

    /// Connects to `server`, however long it takes; `failed` is told each time it did not work. May
    /// be dropped at any time.
    pub(super) async fn connect(
        &mut self,
        server: &Server,
        dialer: &Dialer,
        failed: impl Fn(&str),
    ) -> Session {
        match self.since.take() {
            Some(since) if since.elapsed() < GOOD_RUN => self.pause().await,
            _ => self.pauses = pauses(self.longest),
        }
        loop {
            match attempt(server, dialer).await {
                Ok(session) => {
                    self.since = Some(Instant::now());
                    return session;
                }
                Err(why) => failed(&why),
            }
            self.pause().await;
        }
    }

    async fn pause(&mut self) {
        let pause = self.pauses.next().unwrap_or(self.longest);
        tokio::time::sleep(pause.min(self.longest)).await;
    }
}

/// Another connection to `server`, with the certificates as they are now. Tried once.
pub(super) fn again(dialer: &Rc<Dialer>, server: &Server) -> Successor {
    let (dialer, server) = (Rc::clone(dialer), server.clone());
    Box::pin(async move { attempt(&server, &dialer).await })
}

async fn attempt(server: &Server, dialer: &Dialer) -> Result<Session, String> {
    let settings = &dialer.settings;
    let silent = |_| "it does not answer".to_owned();
    let limit = Duration::from_millis(settings.connect_timeout_ms);
    let address = (server.host.as_str(), server.port);
    let stream = timeout(limit, TcpStream::connect(address)).await;
    let stream = stream.map_err(silent)?.map_err(|error| error.to_string())?;
    prepare(&stream).map_err(|error| error.to_string())?;
    timeout(limit + LOGIN_LIMIT, log_in(stream, server, dialer))
        .await
        .map_err(silent)?
}

/// Batches are written whole: waiting for more would only delay them. A dead machine is noticed
/// without heartbeats too.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_user_timeout(stream, SILENCE_MS_MAX)?;
    Ok(())
}

async fn log_in(stream: TcpStream, server: &Server, dialer: &Dialer) -> Result<Session, String> {
    let settings = &dialer.settings;
    let (reader, writer): (Box<dyn AsyncRead + Unpin>, Box<dyn AsyncWrite + Unpin>) = if server.tls
    {
        let stream =
            tls::secure(stream, &server.host, &settings.tls, dialer.tls.current()?).await?;
        let (reader, writer) = tokio::io::split(stream);
        (Box::new(reader), Box::new(writer))
    } else {
        let (reader, writer) = stream.into_split();
        (Box::new(reader), Box::new(writer))
    };
    let mut session = Session::over(reader, writer);
    session.has_certificate = settings.tls.cert_file.is_some();
    session.negotiate(server, settings.heartbeat_s).await?;
    Ok(session)
}
