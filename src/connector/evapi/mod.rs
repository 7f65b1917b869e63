//! evapi: a server that programs connect to.
//!
//! Frames go from the lanes into one buffer per client, shared between the clients that get the
//! same, so a client that does not read costs the others nothing; messages of a client go to its
//! event worker's inbox, so a route that takes long holds up its own clients only.

mod client;
mod consume;
mod parting;
mod presence;
mod protocol;
mod publish;
mod session;
#[cfg(test)]
mod tests;
mod tls;

use super::Connector;
use crate::connector::tls::Held;
use crate::evapi::settings::Settings;
use crate::link::Link;
use crate::module::connector;
use presence::Presence;
use std::rc::Rc;
use tokio::task::spawn_local;

/// The table's line.
pub const CONNECTOR: Connector = Connector {
    name: "evapi",
    // A burst of relayed messages is over before the first is on its way.
    gives_way: true,
    run: |link, settings| Box::pin(run(link, settings)),
    check: Some(check),
};

/// What is wrong with the TLS files.
fn check(settings: serde_json::Value) -> Vec<String> {
    let checked = serde_json::from_value(settings)
        .map_err(|error| error.to_string())
        .and_then(|settings: Settings| match &settings.tls {
            Some(files) => tls::acceptor(Some(files)).map(drop),
            None => Ok(()),
        });
    checked.err().into_iter().collect()
}

async fn run(link: Link, settings: serde_json::Value) -> Result<(), String> {
    let settings: Settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    let Link {
        outbound,
        inbounds,
        board,
        roster,
        renewal,
        listeners,
        drain,
        ..
    } = link;
    let files = settings.tls.clone();
    let tls = Rc::new(Held::new("evapi", move || tls::acceptor(files.as_ref())));
    if settings.tls.is_some()
        && let Err(why) = tls.current()
    {
        board.error(&why);
        log::error!("evapi: {why}: nobody is served at tls: addresses until evapi.tls_reload");
    }
    spawn_local(Rc::clone(&tls).renew(renewal, Rc::clone(&board)));
    let (mut renewals, counted) = (tls.renewals(), Rc::clone(&board));
    spawn_local(async move {
        while renewals.changed().await.is_ok() {
            counted.count(connector::RENEWALS, 1);
        }
    });
    let presence = Rc::new(Presence::new(settings, board, roster, inbounds));
    presence.bury_the_dead();
    for (line, listener) in listeners {
        session::listen(Rc::clone(&presence), line, listener, Rc::clone(&tls))?;
    }
    presence.listening();
    publish::run(presence, outbound, drain).await;
    Ok(())
}
