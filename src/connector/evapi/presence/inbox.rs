//! A client's events on their way to a worker: to which one, and behind which others.

use super::Presence;
use crate::connector::evapi::client::Client;
use crate::evapi::figure;
use crate::frame::evapi::{Event, What};
use crate::link::Inbound;
use crate::module::arrived;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long is waited before an inbox is looked at again: at first, and at most.
const LOOK: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(16);

impl Presence {
    /// The inbox for a client's next message; with spread_messages, each time the next one.
    pub(in crate::connector::evapi) fn inbox_for_message(
        &self,
        client: &Client,
    ) -> Option<&Mutex<Inbound>> {
        if !self.settings.spread {
            return self.inbox(client);
        }
        self.turn.set(self.turn.get().wrapping_add(1));
        self.inboxes
            .get(self.turn.get().checked_rem(self.inboxes.len())?)
    }

    /// The inbox for a client's next event: its worker's while that has others of it, which keeps
    /// them in order, else that of a worker with nothing to do, else of the one that fewest clients wait
    /// for: a client may have sent only the first of many messages, so their bytes say little.
    fn inbox(&self, client: &Client) -> Option<&Mutex<Inbound>> {
        if self.inboxes.len() == 1 {
            return self.inboxes.first();
        }
        if let Some((worker, position)) = client.latest.get()
            && !self.is_settled(worker, position)
        {
            return self.inboxes.get(worker);
        }
        let work = |inbox: &&Mutex<Inbound>| match inbox.try_lock() {
            Ok(inbound) => match inbound.waiting_bytes() {
                0 => (0, 0),
                bytes => (self.waiting_clients(&inbound), bytes),
            },
            // Somebody waits for room in it.
            Err(_) => (usize::MAX, u64::MAX),
        };
        self.inboxes.iter().min_by_key(work)
    }

    /// The number of clients with events that wait for a worker.
    fn waiting_clients(&self, inbound: &Inbound) -> usize {
        let clients = self.clients.borrow();
        let waits = |client: &&Rc<Client>| {
            let latest = client.latest.get();
            latest.is_some_and(|(worker, at)| worker == inbound.worker() && inbound.has_waiting(at))
        };
        clients.iter().flatten().filter(waits).count()
    }

    /// Waits until the routes of a client's events have ended, and what they relayed is in the buffers.
    pub(in crate::connector::evapi) async fn settled(&self, client: &Client) {
        let mut pause = LOOK;
        while !self.has_settled(client) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    fn has_settled(&self, client: &Client) -> bool {
        let is_settled = |(worker, position)| self.is_settled(worker, position);
        if self.settings.spread {
            let spread = client.spread.borrow();
            return spread.iter().all(|(worker, at)| is_settled((*worker, *at)));
        }
        client.latest.get().is_none_or(is_settled)
    }

    /// With spread_messages, what waits anywhere may be a message of a client that the last engine had.
    pub(super) fn spread_of_the_dead(&self, client: &Client) {
        let inbounds = self
            .inboxes
            .iter()
            .filter_map(|inbox| inbox.try_lock().ok());
        let waiting = inbounds.filter(|inbound| inbound.has_waiting(inbound.position()));
        let places = waiting.map(|inbound| (inbound.worker(), inbound.position()));
        client.spread.borrow_mut().extend(places);
    }

    fn is_settled(&self, worker: usize, position: u64) -> bool {
        if position == 0 {
            // Nothing was ever put there.
            return true;
        }
        let inbound = self.inboxes.get(worker).and_then(|i| i.try_lock().ok());
        inbound.is_some_and(|mut inbound| inbound.is_settled(position))
    }

    /// Puts an event behind the others of that worker.
    pub(in crate::connector::evapi) async fn stage(
        &self,
        inbound: &mut Inbound,
        client: &Client,
        what: What<'_>,
    ) {
        let worker = inbound.worker();
        if client.latest.get().is_none_or(|(known, _)| known != worker) {
            self.figure(client, figure::WORKER, worker as u64);
        }
        // Kept while waiting for room; the tag may change meanwhile.
        let tag = client.tag.borrow().clone();
        let event = Event {
            connection: client.connection,
            orders: client.orders.get(),
            address: client.address.as_bytes(),
            tag: &tag,
            what,
        };
        let numbers = event.numbers();
        let fields = event.fields(&numbers);
        let [a, b, c, d, e] = fields;
        let staged = match event.header(&fields) {
            Ok(header) => inbound
                .stage(&[header.bytes(), a, b, c, d, e])
                .await
                .is_ok(),
            Err(_) => false,
        };
        client.latest.set(Some((worker, inbound.position())));
        if self.settings.spread {
            let mut spread = client.spread.borrow_mut();
            spread.insert(worker, inbound.position());
        }
        match (what, staged) {
            (What::Message(_), true) => inbound.count(arrived::RECEIVED, 1),
            (_, true) => {}
            (_, false) => {
                inbound.count(arrived::OVERSIZED, 1);
                log::error!("evapi: a message of {} is over inbox_size", client.name());
            }
        }
    }

    pub(super) async fn tell(&self, client: &Client, what: What<'_>) {
        let Some(inbox) = self.inbox(client) else {
            return;
        };
        let mut inbound = inbox.lock().await;
        self.stage(&mut inbound, client, what).await;
        inbound.deliver();
    }
}
