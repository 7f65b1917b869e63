//! The door for the fuzzer (`tests/fuzz`): what a server says, taken in as from a socket.

use super::consume::{serve, subscribe};
use super::dialer;
use super::presence::Presence;
use super::publish::{self, End};
use super::session::{Session, expect_info, log_in};
use crate::link::Link;
use crate::nats::settings::Settings;
use bytes::BytesMut;
use std::rc::Rc;
use tokio::io::{AsyncRead, sink};

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Messages go to the first inbox.
    Consume,
    /// The lanes' frames go out.
    Publish,
}

/// Connects to a server that says `said`, whatever it is answered, and ends. Why the connection ended.
pub async fn connect(
    link: Link,
    settings: Settings,
    side: Side,
    mut said: impl AsyncRead + Unpin + 'static,
) -> String {
    let presence = Presence::new(link.board, 1, None);
    let dialer = dialer(Rc::new(settings));
    let settings = &dialer.settings;
    let mut renewals = dialer.tls.renewals();
    let (Some(server), Some(line)) = (settings.servers.first(), settings.subscriptions.first())
    else {
        return String::new();
    };
    let mut buffer = BytesMut::new();
    let info = match expect_info(&mut said, &mut buffer).await {
        Ok(info) => info,
        Err(why) => return why,
    };
    dialer.discover(&info, server);
    let mut session = Session {
        reader: Box::new(said),
        writer: Box::new(sink()),
        buffer,
        info,
        peer: server.clone(),
        server: server.to_string(),
    };
    let ready = async {
        log_in(&mut session, server, settings, false).await?;
        match side {
            Side::Consume => subscribe(&mut session, line, dialer.limit()).await,
            Side::Publish => Ok(()),
        }
    };
    if let Err(why) = ready.await {
        return why;
    }
    presence.up(&session.server);
    let server = session.server.clone();
    let (mut inbounds, mut outbound, mut drain) = (link.inbounds, link.outbound, link.drain);
    let why = match (side, inbounds.first_mut()) {
        (Side::Consume, Some(inbound)) => {
            let Err(why) = serve(session, &dialer, &presence, line, inbound, &mut renewals).await;
            why
        }
        _ => {
            outbound.rewind();
            let (drain, renewals) = (&mut drain, &mut renewals);
            match publish::serve(session, &dialer, &presence, &mut outbound, drain, renewals).await
            {
                End::Lost(why) => why,
                End::Drained | End::Replaced(_) => String::new(),
            }
        }
    };
    presence.down(&server, &why);
    why
}
