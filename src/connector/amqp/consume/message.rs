//! A whole message: for the query that waits for it, or else for an event worker.

use super::Consumer;
use crate::connector::amqp::Common;
use crate::connector::amqp::channel::Channel;
use crate::connector::amqp::inboxes::Given;
use crate::connector::amqp::query::Answered;
use crate::frame::kazoo::{Arrived, Event, TARGETED};
use crate::kazoo::{json, payload};
use std::time::{SystemTime, UNIX_EPOCH};

impl Consumer<'_> {
    /// Hands the whole message on. Where there is no room the channel is parked with it.
    pub(super) fn dispatch(&mut self, at: usize) {
        let Some(channel) = self.channels.get_mut(at) else {
            return;
        };
        let given = if channel.assembly.skipped {
            self.common.inboxes.left_out();
            Given::TooLarge
        } else {
            hand_on(self.common, self.index, channel)
        };
        match given {
            Given::Full => {
                self.parked = Some(at);
                return;
            }
            Given::Staged(place) => channel.took(Some(place)),
            Given::TooLarge => {
                let name = channel.name();
                log::error!("kazoo: a message from {name} is over inbox_size: left out");
                channel.took(None);
            }
            Given::Answered => channel.took(None),
        }
        channel.received += 1;
        self.figure(at);
    }
}

/// The `Msg-ID` of a message that may be an answer. A query that came back to its own sender, who has
/// subscribed to what it asks, is none.
fn answers(channel: &Channel, body: &[u8]) -> Option<String> {
    let document = json::parse(body).ok()?;
    let sender = document.get("Server-ID").map(json::Value::text);
    let own = channel.server_id.as_bytes();
    if channel.id != TARGETED && sender.is_some_and(|sender| !own.is_empty() && *sender == *own) {
        return None;
    }
    payload::msg_id(&document)
}

/// Gives a message to who waits for it, or else to a worker.
fn hand_on(common: &Common, server: usize, channel: &Channel) -> Given {
    let assembly = &channel.assembly;
    let message = Arrived {
        server: u16::try_from(server + 1).unwrap_or(u16::MAX),
        received: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        body: &assembly.body,
    };
    if common.queries.are_awaited()
        && let Some(msg_id) = answers(channel, message.body)
    {
        match common.queries.answer(msg_id.as_bytes(), message) {
            Answered::Yes => return Given::Answered,
            Answered::Full => return Given::Full,
            Answered::No => {}
        }
    }
    let worker = if channel.id != TARGETED && channel.subscription.consistent_worker {
        let document = json::parse(message.body).unwrap_or(json::Value::Null);
        let workers = common.inboxes.len();
        channel
            .subscription
            .worker(&document, &assembly.routing_key, workers)
    } else {
        None
    };
    let event = Event::Message {
        subscription: channel.id,
        routing_key: &assembly.routing_key,
        message,
    };
    if channel.id == TARGETED {
        // Answers must not wait behind events.
        return if common.inboxes.is_crowded() {
            Given::Full
        } else if common.inboxes.tell(&event) {
            Given::Answered
        } else {
            Given::TooLarge
        };
    }
    common.inboxes.give(&event, worker)
}
