//! NATS: one connection for publishing, one per subscription, so that a worker that is held up
//! pauses its own subscription only.
//!
//! The wire protocol is spoken directly (ARCHITECTURE.md says why, with figures): frames go from
//! the lanes into one buffer per batch, and a PING behind each batch tells by its PONG that the
//! server has it.

mod consume;
mod dialer;
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
use super::tls::Held;
use crate::link::Link;
use crate::nats::settings::Settings;
use dialer::Dialer;
use presence::Presence;
use std::rc::Rc;
use tokio::task::spawn_local;

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
        renewal,
        drain,
        ..
    } = link;
    let events = if settings.connection_events {
        inbounds.pop()
    } else {
        None
    };
    let dialer = dialer(settings);
    spawn_local(Rc::clone(&dialer.tls).renew(renewal, Rc::clone(&board)));
    let settings = &dialer.settings;
    let connections = 1 + settings.subscriptions.len();
    let presence = Rc::new(Presence::new(board, connections, events));
    for (line, inbound) in settings.subscriptions.iter().cloned().zip(inbounds) {
        let (dialer, presence) = (Rc::clone(&dialer), Rc::clone(&presence));
        let drain = drain.clone();
        spawn_local(consume::run(dialer, presence, line, inbound, drain));
    }
    publish::run(Rc::clone(&dialer), presence, outbound, drain).await;
    Ok(())
}

/// What every connection is made with.
fn dialer(settings: Rc<Settings>) -> Rc<Dialer> {
    let files = Rc::clone(&settings);
    let tls = Rc::new(Held::new("nats", move || tls::config(&files)));
    Rc::new(Dialer::new(settings, tls))
}
