//! Kafka, through librdkafka: a producer per cluster and set of properties, a consumer per line of
//! `consume`. Two modules use it: event_kafka and kafka.
//!
//! The library has threads of its own; what they tell crosses to the connector's task by channels. A
//! frame leaves its lane when its delivery report has come, and was handed on if its script wants it.

mod check;
mod consume;
mod group;
mod ledger;
mod notice;
mod pages;
mod parts;
mod presence;
mod producer;
mod publish;
mod reader;
mod report;
mod send;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod workers;

use super::Connector;
use super::tls::Held;
use crate::kafka::settings::Settings;
use crate::link::Link;
use presence::Presence;
use publish::Desk;
use socket::Seats;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Notify;

/// The table's line of event_kafka.
pub const EVENT_KAFKA: Connector = Connector {
    name: "event_kafka",
    gives_way: false,
    run: |link, settings| Box::pin(run(link, settings)),
    check: Some(check::check),
};

/// The table's line of kafka.
pub const KAFKA: Connector = Connector {
    name: "kafka",
    gives_way: false,
    run: |link, settings| Box::pin(run(link, settings)),
    check: Some(check::check),
};

async fn run(link: Link, settings: serde_json::Value) -> Result<(), String> {
    let settings: Settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    let settings = Rc::new(settings);
    let Link {
        outbound,
        mut inbounds,
        rings,
        renewal,
        board,
        roster,
        drain,
        ..
    } = link;
    let (presence, tallies) = Presence::new(&settings, Rc::clone(&board), roster);
    let presence = Rc::new(presence);
    let seats = Rc::new(Seats::new(
        Rc::clone(&settings),
        Rc::clone(&presence),
        Arc::clone(&tallies),
    ));
    let files = Rc::clone(&seats);
    let held = Held::new(&settings.module, move || tls::read(&files));
    let held = Rc::new(held);
    tokio::task::spawn_local(Rc::clone(&held).renew(renewal, board));
    let (notices, noticed) = notice::channel();
    tokio::task::spawn_local(Rc::clone(&presence).listen(noticed));
    let mut consumers = tokio::task::JoinSet::new();
    for (index, line) in settings.consumers.iter().enumerate().rev() {
        // From the last on, so that each finds its inboxes at the end.
        let own = inbounds.split_off(settings.inboxes_of(index).start.min(inbounds.len()));
        let standing = consume::Standing {
            line: line.clone(),
            index: u16::try_from(index).map_err(|error| error.to_string())?,
            connection: settings.producers.len() + index,
            row: settings.targets.len() + settings.sockets_max + index,
        };
        let (presence, notices) = (Rc::clone(&presence), notices.clone());
        let (words, drain) = ((rings.clone(), held.renewals()), drain.clone());
        consumers.spawn_local(consume::run(standing, presence, notices, own, words, drain));
    }
    let (outcomes, told) = crossbeam_channel::unbounded();
    let reported = Arc::new(Notify::new());
    tokio::task::spawn_local(report::run(inbounds, told, Arc::clone(&reported)));
    let desk = Desk {
        settings,
        presence,
        seats,
        tallies,
        outcomes,
        reported,
        notices,
    };
    publish::run(desk, outbound, drain, held.renewals()).await?;
    while consumers.join_next().await.is_some() {}
    Ok(())
}
