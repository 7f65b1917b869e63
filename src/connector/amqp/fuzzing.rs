//! The door for the fuzzer (`tests/fuzz`): what a server says, taken in as from a socket.

use super::consume::Consumer;
use super::line::{self, Line};
use super::presence::Role;
use super::session::Session;
use super::{Channel, open, server_id, subscriptions, targeted};
use crate::frame::kazoo::{Query, TARGETED};
use crate::kazoo::settings::Settings;
use crate::link::Link;
use std::rc::Rc;
use tokio::io::{AsyncRead, sink};
use tokio::sync::Notify;

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Messages go to the inboxes.
    Subscriptions,
    /// Answers go to who waits for them.
    Answers,
    /// Messages were published, as many as are given, and wait to be confirmed.
    Publish(u64),
}

/// Connects to a server that says `said`, whatever it is told, and ends. `queries` wait for their
/// answers meanwhile.
///
/// # Errors
/// Why the log-in was in vain.
pub async fn connect(
    link: Link,
    settings: Settings,
    side: Side,
    queries: &[Query<'_>],
    said: impl AsyncRead + Unpin + 'static,
) -> Result<(), String> {
    let (common, _outbound, _drain) = open(link, Rc::new(settings));
    let settings = &common.dialer.settings;
    let Some(server) = settings.servers.first() else {
        return Ok(());
    };
    for query in queries {
        common.queries.enter(query);
    }
    let mut session = Session::over(Box::new(said), Box::new(sink()));
    session.negotiate(server, settings.heartbeat_s).await?;
    let (role, channels) = match side {
        Side::Publish(given) => {
            let line = Line::new(0, server_id(settings, 0));
            (0..given).for_each(|_| _ = line.tags.borrow_mut().give());
            let mut renewals = common.dialer.tls.renewals();
            let (dialer, presence, progress) = (&common.dialer, &common.presence, Notify::new());
            let ends = line::serve(
                &line,
                session,
                dialer,
                server,
                &mut renewals,
                presence,
                &progress,
            );
            ends.await;
            return Ok(());
        }
        Side::Subscriptions => (Role::Subscriptions, subscriptions(settings, 0)),
        Side::Answers => {
            let channel = Channel::new(1, TARGETED, targeted(settings, 0), 0);
            (Role::Answers, vec![channel])
        }
    };
    let mut consumer = Consumer::new(&common, server, 0, role, channels);
    consumer.start();
    if let Err(why) = consumer.serve(&mut session, |_| false).await {
        consumer.lost(&why);
        common.presence.down(0, role, &why);
    }
    Ok(())
}
