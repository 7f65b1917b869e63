//! Connections: accepting them, letting them in, and seeing them off.

use super::client::{Client, Hand};
use super::consume::{self, Over, Reader};
use super::parting;
use super::presence::Presence;
use super::tls;
use crate::connector::tls::Held;
use crate::evapi::address::Address;
use crate::evapi::counter::connector;
use bytes::{Buf, BytesMut};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

/// Pause after the system could give no connection, as when descriptors are short.
const PAUSE: Duration = Duration::from_millis(100);

type Writer = Box<dyn AsyncWrite + Unpin>;

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, String),
}

/// Spawns the task that accepts the connections of `bind_addr` number `line`.
///
/// # Errors
/// If the socket is not what the setting says.
pub(super) fn listen(
    presence: Rc<Presence>,
    line: usize,
    listener: OwnedFd,
    tls: Rc<Held<TlsAcceptor>>,
) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let address = presence.settings.bind.get(line);
    let address = address.ok_or("a listening socket has no bind_addr")?;
    let (listener, tls) = match address {
        Address::Tcp { tls: secure, .. } => {
            let listener = TcpListener::from_std(listener.into()).map_err(text)?;
            (Listener::Tcp(listener), Some(tls).filter(|_| *secure))
        }
        Address::Unix(_) => {
            let listener = UnixListener::from_std(listener.into()).map_err(text)?;
            (Listener::Unix(listener, address.to_string()), None)
        }
    };
    tokio::task::spawn_local(async move {
        let mut failing = false;
        loop {
            match listener.accept().await {
                Ok((socket, address, port)) => {
                    failing = false;
                    if let Some(client) = presence.enter(address, port) {
                        let acceptor = tls.as_ref().map(|tls| tls.held());
                        let presence = Rc::clone(&presence);
                        tokio::task::spawn_local(serve(presence, client, socket, acceptor));
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        log::error!("evapi: a connection cannot be accepted: {error}");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    Ok(())
}

impl Listener {
    async fn accept(&self) -> io::Result<(Socket, String, u16)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Frames are written whole; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
                let address = peer.ip().to_canonical().to_string();
                Ok((Socket::Tcp(stream), address, peer.port()))
            }
            Self::Unix(listener, name) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), name.clone(), 0))
            }
        }
    }
}

async fn serve(
    presence: Rc<Presence>,
    client: Rc<Client>,
    socket: Socket,
    acceptor: Option<Option<TlsAcceptor>>,
) {
    let limit = Duration::from_millis(presence.settings.login_timeout_ms);
    let login = tokio::select! {
        login = tokio::time::timeout(limit, log_in(&presence, socket, acceptor)) => {
            login.unwrap_or_else(|_| Err("it takes too long to log in".to_owned()))
        }
        _ = client.ended() => {
            log::info!("evapi: {} was closed before it had logged in", client.name());
            presence.leave(&client);
            return;
        }
    };
    let (mut reader, writer, buffer) = match login {
        Ok(session) => session,
        Err(why) => {
            presence.count(connector::LOGINS_REFUSED, 1);
            log::warn!("evapi: {} is refused: {why}", client.name());
            presence.leave(&client);
            return;
        }
    };
    log::debug!("evapi: {} is there", client.name());
    presence.told_new(&client).await;
    client.admitted().await;
    // What was relayed to it in its connection-new route goes out even if it is closed there.
    let writing = tokio::task::spawn_local(write(Rc::clone(&presence), Rc::clone(&client), writer));
    let over = match client.end() {
        Some(end) => Over::Closed(end),
        None => consume::run(&presence, &client, &mut reader, buffer).await,
    };
    parting::see_off(&presence, &client, &over, reader, writing).await;
    log::debug!("evapi: {} is gone: {over}", client.name());
    presence.told_closed(&client).await;
    presence.leave(&client);
}

/// TLS and the secret, as far as they are wanted. Also gives what came behind the secret.
async fn log_in(
    presence: &Presence,
    socket: Socket,
    acceptor: Option<Option<TlsAcceptor>>,
) -> Result<(Reader, Writer, BytesMut), String> {
    let (mut reader, writer): (Reader, Writer) = match (socket, acceptor) {
        (Socket::Tcp(stream), Some(acceptor)) => {
            let stream = tls::secure(acceptor.as_ref(), stream).await?;
            let (reader, writer) = tokio::io::split(stream);
            (Box::new(reader), Box::new(writer))
        }
        (Socket::Tcp(stream), None) => {
            let (reader, writer) = stream.into_split();
            (Box::new(reader), Box::new(writer))
        }
        (Socket::Unix(stream), _) => {
            let (reader, writer) = stream.into_split();
            (Box::new(reader), Box::new(writer))
        }
    };
    let mut buffer = BytesMut::new();
    if let Some(secret) = &presence.settings.secret {
        let netstrings = presence.settings.netstrings;
        consume::secret(&mut reader, &mut buffer, secret.as_bytes(), netstrings).await?;
    }
    Ok((reader, writer, buffer))
}

/// Writes what is in the client's buffer, for as long as it takes it; at the end also ends this side.
async fn write(presence: Rc<Presence>, client: Rc<Client>, mut writer: Writer) {
    let mut hand = Hand::default();
    loop {
        if !hand.has_remaining() && !client.hand_over(&mut hand) {
            if client.is_parting() {
                drop(writer.shutdown().await);
                break;
            }
            client.woken().await;
            continue;
        }
        let bytes = match writer.write_buf(&mut hand).await {
            Ok(bytes) if bytes > 0 => bytes,
            Ok(_) | Err(_) => break,
        };
        // TLS keeps bytes until it is flushed: they still wait. For the others this does nothing.
        if writer.flush().await.is_err() {
            break;
        }
        presence.wrote(&client, bytes, hand.take_frames_done());
    }
    client.broken();
    presence.progress.notify_one();
}
