//! Who is there: the table of clients, as the connector, Kamailio's processes and operators see it.

mod buffer;
mod inbox;

use super::client::Client;
use crate::evapi::counter::connector;
use crate::evapi::settings::Settings;
use crate::evapi::{State, figure};
use crate::frame::evapi::{Connection, To, What};
use crate::link::{Board, Entry, Inbound, Roster};
use crate::module;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;

/// See the module.
#[derive(Debug)]
pub(in crate::connector::evapi) struct Presence {
    pub(in crate::connector::evapi) settings: Settings,
    board: Rc<Board>,
    roster: Roster,
    clients: RefCell<Vec<Option<Rc<Client>>>>,
    /// Where the last event of each place's last client is, as in [`Client::latest`].
    left: RefCell<Vec<Option<(usize, u64)>>>,
    /// A client that waits for room in an inbox holds it, and the others of that worker wait for it.
    inboxes: Vec<Mutex<Inbound>>,
    turn: Cell<usize>,
    /// Rung when a buffer got smaller; for the one task that fills them.
    pub(in crate::connector::evapi) progress: Notify,
    /// Connections are refused now, which was logged.
    crowded: Cell<bool>,
    /// What reads connections to their end whose clients have left their places.
    lingering: RefCell<VecDeque<AbortHandle>>,
}

impl Presence {
    pub(in crate::connector::evapi) fn new(
        settings: Settings,
        board: Rc<Board>,
        roster: Roster,
        inbounds: Vec<Inbound>,
    ) -> Self {
        let clients = (0..roster.len()).map(|_| None).collect();
        let left = vec![None; roster.len()];
        roster.peers(0);
        Self {
            settings,
            board,
            roster,
            clients: RefCell::new(clients),
            left: RefCell::new(left),
            inboxes: inbounds.into_iter().map(Mutex::new).collect(),
            turn: Cell::new(0),
            progress: Notify::new(),
            crowded: Cell::new(false),
            lingering: RefCell::default(),
        }
    }

    /// The clients of an engine that died are gone: their connection-closed is still to be told,
    /// and their places are taken until then.
    pub(in crate::connector::evapi) fn bury_the_dead(self: &Rc<Self>) {
        for index in 0..self.roster.len() {
            let Some(entry) = self.roster.entry(index) else {
                continue;
            };
            if entry.state == State::Login as u64 {
                self.roster.leave(index);
                continue;
            }
            let connection = Connection {
                index: u32::try_from(index).unwrap_or(0),
                port: entry.port,
                generation: entry.generation,
            };
            let client = Client::new(connection, entry.address, State::Closing, entry.tag);
            // Its messages may still wait there.
            let worker = self.roster.figure_value(index, figure::WORKER);
            let worker = usize::try_from(worker).unwrap_or(0);
            client.latest.set(Some((worker, u64::MAX)));
            self.spread_of_the_dead(&client);
            let client = Rc::new(client);
            self.place(index, Some(Rc::clone(&client)));
            let presence = Rc::clone(self);
            tokio::task::spawn_local(async move {
                presence.told_closed(&client).await;
                presence.leave(&client);
            });
        }
    }

    /// Everything is open.
    pub(in crate::connector::evapi) fn listening(&self) {
        let addresses: Vec<String> = self.settings.bind.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(", ");
        log::info!("evapi: listening on {addresses}");
        self.board.server(&addresses);
        self.board.enter(module::State::Connected);
    }

    /// The engine is to end.
    pub(in crate::connector::evapi) fn draining(&self) {
        self.board.enter(module::State::Draining);
    }

    /// Adds to a counter of the connector.
    pub(in crate::connector::evapi) fn count(&self, slot: usize, n: u64) {
        self.board.count(slot, n);
    }

    /// Gives a new connection the lowest free place. None if there is none.
    pub(in crate::connector::evapi) fn enter(
        &self,
        address: String,
        port: u16,
    ) -> Option<Rc<Client>> {
        let free = self.clients.borrow().iter().position(Option::is_none);
        let Some(index) = free else {
            self.count(connector::REFUSED, 1);
            if !self.crowded.replace(true) {
                let max = self.settings.clients_max;
                log::warn!("evapi: {max} clients are there (max_clients): {address} is refused");
            }
            return None;
        };
        self.crowded.set(false);
        let generation = self.board.number(connector::CONNECTIONS);
        let entry = Entry {
            generation,
            state: State::Login as u64,
            address,
            port,
            tag: Vec::new(),
        };
        self.roster.enter(index, &entry);
        let connection = Connection {
            index: u32::try_from(index).unwrap_or(0),
            port,
            generation,
        };
        let client = Client::new(connection, entry.address, State::Login, Vec::new());
        let left = self.left.borrow().get(index).copied().flatten();
        if let Some((worker, _)) = left {
            // The script is to see the end of the place's last client before the begin of this one.
            client.latest.set(left);
            self.figure(&client, figure::WORKER, worker as u64);
        }
        let client = Rc::new(client);
        self.place(index, Some(Rc::clone(&client)));
        Some(client)
    }

    /// The client may be spoken to once its connection-new route has ended, or at once if there is
    /// none.
    pub(in crate::connector::evapi) async fn told_new(&self, client: &Client) {
        self.change(client, State::New);
        if self.settings.new_events {
            self.tell(client, What::New).await;
        } else {
            self.admit(client);
        }
    }

    /// The client takes part from now on.
    pub(in crate::connector::evapi) fn admit(&self, client: &Client) {
        client.admit();
        self.change(client, client.state.get());
    }

    /// The client takes part no longer.
    pub(in crate::connector::evapi) fn closing(&self, client: &Client) {
        self.change(client, State::Closing);
    }

    /// The last the script hears of a client.
    pub(in crate::connector::evapi) async fn told_closed(&self, client: &Client) {
        if self.settings.spread {
            // Another worker's inbox is no place behind its messages.
            self.settled(client).await;
        }
        self.tell(client, What::Closed).await;
    }

    /// Frees the client's place.
    pub(in crate::connector::evapi) fn leave(&self, client: &Client) {
        self.count(connector::DISCONNECTIONS, 1);
        self.roster.leave(client.index());
        if let Some(left) = self.left.borrow_mut().get_mut(client.index()) {
            *left = client.latest.get();
        }
        self.place(client.index(), None);
    }

    /// Keeps an ended connection for as long as the task reads it, if there are not more such ones than
    /// there may be clients.
    pub(in crate::connector::evapi) fn lingers(&self, reading: AbortHandle) {
        let mut lingering = self.lingering.borrow_mut();
        lingering.retain(|reading| !reading.is_finished());
        lingering.push_back(reading);
        if lingering.len() > self.settings.clients_max
            && let Some(oldest) = lingering.pop_front()
        {
            oldest.abort();
        }
    }

    /// The client of that connection, if it is still there.
    pub(in crate::connector::evapi) fn find(&self, connection: &Connection) -> Option<Rc<Client>> {
        let clients = self.clients.borrow();
        let client = clients.get(connection.index as usize)?.as_ref()?;
        (client.connection.generation == connection.generation).then(|| Rc::clone(client))
    }

    /// Names a client.
    pub(in crate::connector::evapi) fn tag(&self, client: &Client, tag: &[u8]) {
        client.tag.replace(tag.to_vec());
        self.roster.tag(client.index(), tag);
    }

    /// Who gets a message: clients that take part, and those whose connection-new route is running,
    /// for whom it is kept.
    pub(in crate::connector::evapi) fn select(&self, to: &To<'_>, found: &mut Vec<Rc<Client>>) {
        found.clear();
        let clients = self.clients.borrow();
        let there = clients.iter().flatten().filter(|client| {
            matches!(client.state.get(), State::New | State::Up)
                && !client.is_broken()
                && match to {
                    To::All => true,
                    To::Tagged(tag) | To::First(tag) => client.tag.borrow().as_slice() == *tag,
                }
        });
        let most = if matches!(to, To::First(_)) {
            1
        } else {
            usize::MAX
        };
        found.extend(there.take(most).map(Rc::clone));
    }

    /// All clients.
    pub(in crate::connector::evapi) fn everybody(&self) -> Vec<Rc<Client>> {
        self.clients
            .borrow()
            .iter()
            .flatten()
            .map(Rc::clone)
            .collect()
    }

    /// Replaces a figure of a client.
    pub(in crate::connector::evapi) fn figure(&self, client: &Client, slot: usize, value: u64) {
        self.roster.figure(client.index(), slot, value);
    }

    fn place(&self, index: usize, client: Option<Rc<Client>>) {
        if let Some(place) = self.clients.borrow_mut().get_mut(index) {
            *place = client;
        }
    }

    fn change(&self, client: &Client, state: State) {
        client.state.set(state);
        self.roster.state(client.index(), state as u64);
        let clients = self.clients.borrow();
        let up = clients
            .iter()
            .flatten()
            .filter(|client| client.state.get() == State::Up);
        self.roster.peers(up.count());
    }
}
