//! Delivers the lanes' frames.
//!
//! Frames are copied from the lanes into one buffer per batch. A PING follows each batch: its PONG
//! says that the server has read everything before it, and only then the frames are released. So
//! what a dying server had in its socket is sent again.

mod in_flight;
mod publisher;

use super::dialer::{Dialer, Failover};
use super::presence::Presence;
use super::session::{Session, connect};
use crate::link::Outbound;
use publisher::Publisher;
use std::rc::Rc;
use tokio::sync::watch;

/// Why serving a connection ended.
pub(super) enum End {
    /// Everything accepted is delivered, and nothing more is accepted.
    Drained,
    Lost(String),
    /// Another connection takes its place, and nothing is on its way.
    Replaced(Box<Session>),
}

/// Runs until the engine drains and everything is delivered.
pub(super) async fn run(
    dialer: Rc<Dialer>,
    presence: Rc<Presence>,
    mut outbound: Outbound,
    mut drain: watch::Receiver<bool>,
) {
    let mut failover = Failover::default();
    let mut renewals = dialer.tls.renewals();
    let mut successor = None;
    loop {
        let session = if let Some(session) = successor.take() {
            session
        } else {
            renewals.mark_unchanged();
            let session = tokio::select! {
                session = connect(&dialer, &presence, &mut failover) => session,
                () = nothing_left(&mut drain, &mut outbound) => return,
            };
            outbound.rewind();
            presence.up(&session.server);
            session
        };
        let server = session.server.clone();
        presence
            .board()
            .message_bytes_max(session.info.message_bytes_max());
        match serve(
            session,
            &dialer,
            &presence,
            &mut outbound,
            &mut drain,
            &mut renewals,
        )
        .await
        {
            End::Drained => return,
            End::Lost(why) => presence.down(&server, &why),
            End::Replaced(session) => {
                presence.renewed(&server);
                successor = Some(*session);
            }
        }
    }
}

/// Sends what the lanes have, until the connection ends.
pub(super) async fn serve(
    session: Session,
    dialer: &Rc<Dialer>,
    presence: &Presence,
    outbound: &mut Outbound,
    drain: &mut watch::Receiver<bool>,
    renewals: &mut watch::Receiver<u64>,
) -> End {
    let mut publisher = Publisher::new(session, dialer, presence, outbound);
    // What came with the login.
    match publisher.understand() {
        Ok(()) => publisher.serve(drain, renewals).await,
        Err(why) => End::Lost(why),
    }
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
