//! AMQP, as RabbitMQ speaks it: the connector of the kazoo module.
//!
//! A server has a connection for publishing, one for answers, and one for subscriptions, so that none
//! of them holds up another. The wire protocol is spoken directly (ARCHITECTURE.md says why, with
//! figures): frames go from the lanes into a connection's buffer, and are released when the server
//! has confirmed them.

mod channel;
mod confirm;
mod connect;
mod consume;
mod declare;
mod encode;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod inboxes;
mod line;
mod presence;
mod protocol;
mod publish;
mod query;
mod send;
mod session;
#[cfg(test)]
mod tests;
mod tls;

use super::Connector;
use super::tls::Held;
use crate::frame::kazoo::TARGETED;
use crate::kazoo::settings::Settings;
use crate::kazoo::subscription::{Exchange, Queue, Subscription};
use crate::kazoo::table::Table;
use crate::kazoo::target;
use crate::link::{Link, Outbound, Roster};
use channel::Channel;
use connect::Dialer;
use inboxes::Inboxes;
use line::Line;
use presence::{Presence, Role, is_wanted};
use publish::{InFlight, Publisher};
use query::Queries;
use std::rc::Rc;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_local;

/// The table's line.
pub const CONNECTOR: Connector = Connector {
    name: "kazoo",
    gives_way: false,
    run: |link, settings| Box::pin(run(link, settings)),
    check: None,
};

/// What all connections share.
#[derive(Clone)]
struct Common {
    dialer: Rc<Dialer>,
    presence: Rc<Presence>,
    inboxes: Rc<Inboxes>,
    queries: Rc<Queries>,
    roster: Rc<Roster>,
}

async fn run(link: Link, settings: serde_json::Value) -> Result<(), String> {
    let settings: Settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    let (common, outbound, drain) = open(link, Rc::new(settings));
    consume(&common, &drain);
    let (inboxes, queries) = (Rc::clone(&common.inboxes), Rc::clone(&common.queries));
    spawn_local(async move { inboxes.run().await });
    spawn_local(async move { queries.run().await });
    let progress = Rc::new(Notify::new());
    let publisher = Publisher {
        outbound,
        lines: publish(&common, &progress),
        primary: common
            .dialer
            .settings
            .primary()
            .map(|(number, _)| number - 1)
            .collect(),
        presence: common.presence,
        queries: common.queries,
        progress,
        in_flight: InFlight::default(),
    };
    publisher.run(drain).await;
    Ok(())
}

/// What all connections share, beside the lanes and the word to drain.
fn open(link: Link, settings: Rc<Settings>) -> (Common, Outbound, watch::Receiver<bool>) {
    let Link {
        outbound,
        inbounds,
        mailboxes,
        rings,
        renewal,
        board,
        roster,
        drain,
        ..
    } = link;
    let roster = Rc::new(roster);
    let inboxes = Rc::new(Inboxes::new(inbounds, rings));
    let queries = Rc::new(Queries::new(
        Rc::clone(&roster),
        settings.async_queries_max,
        settings.reply_bytes_max,
        mailboxes,
        Rc::clone(&inboxes),
        Rc::clone(&board),
    ));
    queries.bury_the_dead();
    let files = Rc::clone(&settings);
    let tls = Rc::new(Held::new("kazoo", move || tls::config(&files)));
    spawn_local(Rc::clone(&tls).renew(renewal, Rc::clone(&board)));
    let presence = Presence::new(&settings, board, Rc::clone(&roster), Rc::clone(&inboxes));
    let common = Common {
        dialer: Rc::new(Dialer {
            settings: Rc::clone(&settings),
            tls,
        }),
        presence: Rc::new(presence),
        inboxes,
        queries,
        roster,
    };
    (common, outbound, drain)
}

/// Starts the connections for publishing.
fn publish(common: &Common, progress: &Rc<Notify>) -> Vec<Rc<Line>> {
    let mut lines = Vec::new();
    for (index, server) in common.dialer.settings.servers.iter().enumerate() {
        let line = Rc::new(Line::new(index, server_id(&common.dialer.settings, index)));
        spawn_local(line::run(
            Rc::clone(&line),
            server.clone(),
            Rc::clone(&common.dialer),
            Rc::clone(&common.presence),
            Rc::clone(progress),
        ));
        lines.push(line);
    }
    lines
}

/// Starts the connections for answers and subscriptions.
fn consume(common: &Common, drain: &watch::Receiver<bool>) {
    let settings = &common.dialer.settings;
    let table = Table::of(settings);
    let mut rows = table.subscriptions..table.rows;
    for index in 0..settings.servers.len() {
        let start = |role, channels| {
            let (common, drain) = (common.clone(), drain.clone());
            spawn_local(consume::run(common, index, role, channels, drain));
        };
        if is_wanted(settings, index, Role::Answers) {
            let channel = Channel::new(1, TARGETED, targeted(settings, index), 0);
            start(Role::Answers, vec![channel]);
        }
        if is_wanted(settings, index, Role::Subscriptions) {
            let mut channels = subscriptions(settings, index);
            for channel in &mut channels {
                channel.row = rows.next();
                channel.server_id = server_id(settings, index);
            }
            start(Role::Subscriptions, channels);
        }
    }
}

/// The subscriptions of the server at `index`.
fn subscriptions(settings: &Settings, index: usize) -> Vec<Channel> {
    let primary = is_wanted(settings, index, Role::Answers);
    let workers = u16::try_from(settings.workers).unwrap_or(u16::MAX);
    let prefetch = settings.prefetch.saturating_mul(workers);
    let all = settings.subscriptions.iter().enumerate();
    let own = all.filter(|(_, subscription)| primary || subscription.federate);
    let channels = own.zip(1_u16..).map(|((id, subscription), number)| {
        let id = u16::try_from(id).unwrap_or(TARGETED - 1);
        Channel::new(number, id, subscription.clone(), prefetch)
    });
    channels.collect()
}

/// Where the answers to queries at the server at `index` go: its queue has the name that the first of
/// many has upstream.
fn targeted(settings: &Settings, index: usize) -> Subscription {
    Subscription {
        exchange: Exchange {
            name: target::EXCHANGE.to_owned(),
            kind: "direct".to_owned(),
            ..Exchange::default()
        },
        queue: Queue {
            name: target::own_queue(&settings.node_hostname, index + 1),
            auto_delete: true,
            ..Queue::default()
        },
        routing: vec![target::own_key(&settings.node_hostname, index + 1)],
        no_ack: true,
        ..Subscription::default()
    }
}

/// `Server-ID` of messages through the server at `index`; empty where no answer could come.
fn server_id(settings: &Settings, index: usize) -> String {
    if is_wanted(settings, index, Role::Answers) {
        target::own_key(&settings.node_hostname, index + 1)
    } else {
        String::new()
    }
}
