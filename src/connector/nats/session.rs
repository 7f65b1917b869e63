//! Connects, logs in, and tries again until it works.

use super::dialer::{Dialer, Failover};
use super::presence::Presence;
use super::protocol::{Connect, Info, Op, parse};
use super::tls;
use crate::connector::stream::{self, READ_BYTES, pauses};
use crate::connector::tls as shared;
use crate::nats::credentials::Credentials;
use crate::nats::settings::Settings;
use crate::nats::url::Server;
use bytes::{Buf, BytesMut};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that is logged in.
pub(super) struct Session {
    pub(super) reader: Box<dyn AsyncRead + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Unpin>,
    /// Bytes read and not yet understood.
    pub(super) buffer: BytesMut,
    pub(super) info: Info,
    /// Who it is with.
    pub(super) peer: Server,
    /// The address, for people.
    pub(super) server: String,
}

/// Connects to the next server that answers, however long it takes. May be dropped at any time.
pub(super) async fn connect(
    dialer: &Dialer,
    presence: &Presence,
    failover: &mut Failover,
) -> Session {
    let settings = &dialer.settings;
    let most = Duration::from_millis(settings.reconnect_wait_ms_max);
    let mut pauses = pauses(most);
    failover.wait(most).await;
    loop {
        // A round through all servers, then a pause.
        for _ in 0..dialer.servers() {
            let Some(server) = failover.next(dialer) else {
                continue;
            };
            match limited(dialer, &server).await {
                Ok(session) => {
                    dialer.discover(&session.info, &server);
                    failover.made();
                    return session;
                }
                Err(why) => presence.failed(&server.to_string(), &why),
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(most).min(most)).await;
    }
}

/// See [`stream`].
pub(super) type Successor = stream::Successor<Box<Session>>;

impl Session {
    /// Another connection to the same server, with the certificates as they are now. Tried once.
    pub(super) fn again(&self, dialer: &Rc<Dialer>) -> Successor {
        let (dialer, peer) = (Rc::clone(dialer), self.peer.clone());
        Box::pin(async move { limited(&dialer, &peer).await.map(Box::new) })
    }
}

async fn limited(dialer: &Dialer, server: &Server) -> Result<Session, String> {
    let attempt = timeout(dialer.limit(), attempt(server, dialer)).await;
    attempt.unwrap_or_else(|_| Err("it does not answer".to_owned()))
}

async fn attempt(server: &Server, dialer: &Dialer) -> Result<Session, String> {
    let settings = &dialer.settings;
    let address = (server.host.as_str(), server.port);
    let mut stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    // Batches are written whole; waiting for more would only delay them.
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let info = expect_info(&mut stream, &mut buffer).await?;
    let wants_tls = server.tls || settings.tls.always;
    if info.tls_required && !wants_tls {
        return Err("it demands TLS: use tls:// or tls = 1".to_owned());
    }
    if wants_tls && !info.tls_required && !info.tls_available {
        return Err("it offers no TLS".to_owned());
    }
    let server_name = server.to_string();
    let mut session = if wants_tls {
        let stream = tls::secure(
            stream,
            server.tls_name(),
            &settings.tls,
            dialer.tls.current()?,
        )
        .await?;
        let (reader, writer) = tokio::io::split(stream);
        let (reader, writer) = (Box::new(reader), Box::new(writer));
        Session {
            reader,
            writer,
            buffer,
            info,
            peer: server.clone(),
            server: server_name,
        }
    } else {
        let (reader, writer) = stream.into_split();
        let (reader, writer) = (Box::new(reader), Box::new(writer));
        Session {
            reader,
            writer,
            buffer,
            info,
            peer: server.clone(),
            server: server_name,
        }
    };
    log_in(&mut session, server, settings, wants_tls).await?;
    Ok(session)
}

pub(super) async fn expect_info<R: AsyncRead + Unpin + ?Sized>(
    stream: &mut R,
    buffer: &mut BytesMut,
) -> Result<Info, String> {
    loop {
        if let Some((op, len)) = parse(buffer, 0)? {
            let Op::Info(json) = op else {
                return Err("it does not greet like NATS".to_owned());
            };
            let info = understood(json)?;
            buffer.advance(len);
            return Ok(info);
        }
        read(stream, buffer).await?;
    }
}

/// What an INFO says.
pub(super) fn understood(json: &[u8]) -> Result<Info, String> {
    serde_json::from_slice(json).map_err(|error| format!("its INFO: {error}"))
}

pub(super) async fn log_in(
    session: &mut Session,
    server: &Server,
    settings: &Settings,
    tls_required: bool,
) -> Result<(), String> {
    let file = settings.credentials_file.as_deref();
    let told = |why: String| format!("{}: {why}", file.unwrap_or_default());
    let credentials = file.map(Credentials::read).transpose().map_err(told)?;
    let nonce = session.info.nonce.as_deref().unwrap_or_default();
    let sig = credentials
        .as_ref()
        .map(|credentials| sign(nonce, &credentials.seed));
    let sig = sig.transpose().map_err(told)?;
    let connect = Connect {
        verbose: false,
        pedantic: false,
        tls_required,
        name: "sipbus",
        lang: "rust",
        version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        headers: session.info.headers,
        no_responders: false,
        user: server.user.as_deref(),
        pass: server.password.as_deref(),
        auth_token: server.token.as_deref(),
        jwt: credentials
            .as_ref()
            .map(|credentials| credentials.jwt.as_str()),
        sig,
    };
    let json = serde_json::to_string(&connect).map_err(|error| error.to_string())?;
    // Behind its first PONG a server tells what is different for this account: its limits, new servers of the cluster.
    let hello = format!("CONNECT {json}\r\nPING\r\nPING\r\n");
    let mut unanswered = 2;
    let has_certificate = settings.tls.cert_file.is_some();
    // A server that refuses our certificate says why and hangs up: it is read even if nothing could be
    // written any more.
    drop(write(&mut session.writer, hello.as_bytes()).await);
    loop {
        while let Some((op, len)) = parse(&session.buffer, 0)? {
            match op {
                Op::Pong => unanswered -= 1,
                Op::Error(why) => return Err(shown(why)),
                Op::Info(json) => session.info = understood(json)?,
                _ => {}
            }
            session.buffer.advance(len);
            if unanswered == 0 {
                return Ok(());
            }
        }
        let read = stream::read(&mut session.reader, &mut session.buffer).await;
        read.map_err(|error| shared::told(&error, has_certificate))?;
    }
}

fn sign(nonce: &str, seed: &str) -> Result<String, String> {
    let key = nkeys::KeyPair::from_seed(seed).map_err(|_| "its key cannot be read".to_owned())?;
    let signature = key
        .sign(nonce.as_bytes())
        .map_err(|error| error.to_string())?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&signature))
}

/// A server's error text without its quotes.
pub(super) fn shown(error: &[u8]) -> String {
    String::from_utf8_lossy(error).trim_matches('\'').to_owned()
}

/// Reads what there is into `buffer`. May be dropped without losing bytes.
pub(super) async fn read<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    buffer: &mut BytesMut,
) -> Result<(), String> {
    let read = stream::read(reader, buffer).await;
    read.map_err(|error| shared::told(&error, true))
}

pub(super) async fn write<W: AsyncWrite + Unpin + ?Sized>(
    writer: &mut W,
    bytes: &[u8],
) -> Result<(), String> {
    writer
        .write_all(bytes)
        .await
        .map_err(|error| error.to_string())?;
    writer.flush().await.map_err(|error| error.to_string())
}
