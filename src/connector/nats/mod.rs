//! NATS: one connection for publishing, one per subscription, so that a worker that is held up
//! pauses its own subscription only.
//!
//! The wire protocol is spoken directly (ARCHITECTURE.md says why, with figures): frames go from
//! the lanes into one buffer per batch, and a PING behind each batch tells by its PONG that the
//! server has it.

mod consume;
#[doc(hidden)]
pub mod fuzzing;
mod presence;
mod protocol;
mod publish;
mod session;
#[cfg(test)]
mod tests;
mod tls;

use super::Connector;
use crate::link::Link;
use crate::nats::settings::Settings;
use presence::Presence;
use std::rc::Rc;

/// The table's line.
pub const CONNECTOR: Connector = Connector {
    name: "nats",
    // A message shall be on its way at once.
    gives_way: false,
    run: |link, settings| Box::pin(run(link, settings)),
    check: None,
};

async fn run(link: Link, settings: serde_json::Value) -> Result<(), String> {
    let settings: Settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    let settings = Rc::new(settings);
    let Link {
        outbound,
        mut inbounds,
        board,
        drain,
        ..
    } = link;
    let events = if settings.connection_events {
        inbounds.pop()
    } else {
        None
    };
    let connections = 1 + settings.subscriptions.len();
    let presence = Rc::new(Presence::new(board, connections, events));
    for (line, inbound) in settings.subscriptions.iter().cloned().zip(inbounds) {
        let (settings, presence) = (Rc::clone(&settings), Rc::clone(&presence));
        let drain = drain.clone();
        tokio::task::spawn_local(consume::run(settings, presence, line, inbound, drain));
    }
    publish::run(settings, presence, outbound, drain).await;
    Ok(())
}
