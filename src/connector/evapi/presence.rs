//! Who is there: the table of clients, as the connector, Kamailio's processes and operators see it.

use super::client::{Chunk, Client, End};
use crate::evapi::counter::connector;
use crate::evapi::settings::{FullPolicy, Settings};
use crate::evapi::{State, figure};
use crate::frame::evapi::{Connection, Event, To, What};
use crate::link::{Board, Entry, Inbound, Roster};
use crate::module::{self, arrived};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::{Mutex, Notify};

/// See the module.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) settings: Settings,
    board: Rc<Board>,
    roster: Roster,
    clients: RefCell<Vec<Option<Rc<Client>>>>,
    /// A client that waits for room in an inbox holds it, and the others of that worker wait for it.
    inboxes: Vec<Mutex<Inbound>>,
    turn: Cell<usize>,
    /// Rung when a buffer got smaller; for the one task that fills them.
    pub(super) progress: Notify,
    /// Connections are refused now, which was logged.
    crowded: Cell<bool>,
}

impl Presence {
    pub(super) fn new(
        settings: Settings,
        board: Rc<Board>,
        roster: Roster,
        inbounds: Vec<Inbound>,
    ) -> Self {
        let clients = (0..roster.len()).map(|_| None).collect();
        roster.peers(0);
        Self {
            settings,
            board,
            roster,
            clients: RefCell::new(clients),
            inboxes: inbounds.into_iter().map(Mutex::new).collect(),
            turn: Cell::new(0),
            progress: Notify::new(),
            crowded: Cell::new(false),
        }
    }

    /// The clients of an engine that died are gone: their connection-closed is still to be told,
    /// and their places are taken until then.
    pub(super) fn bury_the_dead(self: &Rc<Self>) {
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
            client.seat.set(Some((worker, u64::MAX)));
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
    pub(super) fn listening(&self) {
        let addresses: Vec<String> = self.settings.bind.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(", ");
        log::info!("evapi: listening on {addresses}");
        self.board.server(&addresses);
        self.board.enter(module::State::Connected);
    }

    /// The engine is to end.
    pub(super) fn draining(&self) {
        self.board.enter(module::State::Draining);
    }

    /// Adds to a counter of the connector.
    pub(super) fn count(&self, slot: usize, n: u64) {
        self.board.count(slot, n);
    }

    /// Gives a new connection the lowest free place. None if there is none.
    pub(super) fn enter(&self, address: String, port: u16) -> Option<Rc<Client>> {
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
        let client = Rc::new(client);
        self.place(index, Some(Rc::clone(&client)));
        Some(client)
    }

    /// The client may be spoken to once its connection-new route has ended, or at once if there is
    /// none.
    pub(super) async fn told_new(&self, client: &Client) {
        self.change(client, State::New);
        if self.settings.new_events {
            self.tell(client, What::New).await;
        } else {
            self.admit(client);
        }
    }

    /// The client takes part from now on.
    pub(super) fn admit(&self, client: &Client) {
        client.admit();
        self.change(client, client.state.get());
    }

    /// The client takes part no longer.
    pub(super) fn closing(&self, client: &Client) {
        self.change(client, State::Closing);
    }

    /// The last the script hears of a client.
    pub(super) async fn told_closed(&self, client: &Client) {
        self.tell(client, What::Closed).await;
    }

    /// Frees the client's place.
    pub(super) fn leave(&self, client: &Client) {
        self.count(connector::DISCONNECTIONS, 1);
        self.roster.leave(client.index());
        self.place(client.index(), None);
    }

    /// The client of that connection, if it is still there.
    pub(super) fn find(&self, connection: &Connection) -> Option<Rc<Client>> {
        let clients = self.clients.borrow();
        let client = clients.get(connection.index as usize)?.as_ref()?;
        (client.connection.generation == connection.generation).then(|| Rc::clone(client))
    }

    /// Names a client.
    pub(super) fn tag(&self, client: &Client, tag: &[u8]) {
        client.tag.replace(tag.to_vec());
        self.roster.tag(client.index(), tag);
    }

    /// Who gets a message: clients that take part, and those whose connection-new route is running,
    /// for whom it is kept.
    pub(super) fn select(&self, to: &To<'_>, found: &mut Vec<Rc<Client>>) {
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

    /// Puts frames, which end at `ends`, into a client's buffer as far as they fit; the policy says
    /// what becomes of the others.
    pub(super) fn give(&self, client: &Client, bytes: &Bytes, ends: &[usize]) {
        let room = self
            .settings
            .client_buffer_bytes
            .saturating_sub(client.buffered());
        // A frame over the whole limit can only go alone.
        let fitting = match ends.partition_point(|end| *end <= room) {
            0 if client.buffered() == 0 => 1,
            fitting => fitting,
        };
        let end = fitting.checked_sub(1).and_then(|last| ends.get(last));
        if let Some(end) = end {
            client.push(Chunk {
                bytes: bytes.slice(..*end),
                frames: fitting,
            });
        }
        if fitting < ends.len() {
            self.full(client, ends.len() - fitting);
        }
        self.figure(client, figure::BUFFERED, client.buffered() as u64);
    }

    fn full(&self, client: &Client, frames: usize) {
        let (name, limit) = (client.name(), self.settings.client_buffer_bytes);
        match self.settings.full_policy {
            FullPolicy::Close => {
                if client.end().is_none() {
                    log::warn!("evapi: {name} reads too slowly: {limit} bytes wait; closing it");
                    self.count(connector::CLOSED_FULL, 1);
                    client.finish(End::Full);
                    self.closing(client);
                }
            }
            FullPolicy::Drop => {
                if !client.dropping.replace(true) {
                    log::warn!(
                        "evapi: {name} reads too slowly: {limit} bytes wait; leaving out its messages until there is room"
                    );
                }
                client.dropped.set(client.dropped.get() + frames as u64);
                self.count(connector::FRAMES_DROPPED, frames as u64);
                self.figure(client, figure::DROPPED, client.dropped.get());
            }
        }
    }

    /// Notes what a client's writer has written.
    pub(super) fn wrote(&self, client: &Client, bytes: usize, frames: usize) {
        client.wrote(bytes, frames);
        let limit = self.settings.client_buffer_bytes;
        if client.buffered() <= limit / 2 {
            client.look.set(None);
        }
        if client.buffered() < limit / 4 {
            client.slow.set(false);
            if client.dropping.replace(false) {
                let (name, dropped) = (client.name(), client.dropped.get());
                log::info!("evapi: {name} reads again; {dropped} messages were left out so far");
            }
        }
        self.figure(client, figure::BYTES_OUT, client.written.get());
        self.figure(client, figure::FRAMES_OUT, client.frames_written.get());
        self.figure(client, figure::BUFFERED, client.buffered() as u64);
        self.progress.notify_one();
    }

    /// All clients.
    pub(super) fn everybody(&self) -> Vec<Rc<Client>> {
        self.clients
            .borrow()
            .iter()
            .flatten()
            .map(Rc::clone)
            .collect()
    }

    /// Replaces a figure of a client.
    pub(super) fn figure(&self, client: &Client, slot: usize, value: u64) {
        self.roster.figure(client.index(), slot, value);
    }

    /// The inbox for a client's next message; with spread_messages, each time the next one.
    pub(super) fn inbox_for_message(&self, client: &Client) -> Option<&Mutex<Inbound>> {
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
        if let Some((worker, position)) = client.seat.get()
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
            let seat = client.seat.get();
            seat.is_some_and(|(worker, at)| worker == inbound.worker() && inbound.has_waiting(at))
        };
        clients.iter().flatten().filter(waits).count()
    }

    fn is_settled(&self, worker: usize, position: u64) -> bool {
        let inbound = self.inboxes.get(worker).and_then(|i| i.try_lock().ok());
        inbound.is_some_and(|mut inbound| inbound.is_settled(position))
    }

    /// Puts an event behind the others of that worker.
    pub(super) async fn stage(&self, inbound: &mut Inbound, client: &Client, what: What<'_>) {
        let worker = inbound.worker();
        if client.seat.get().is_none_or(|(known, _)| known != worker) {
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
        client.seat.set(Some((worker, inbound.position())));
        match (what, staged) {
            (What::Message(_), true) => inbound.count(arrived::RECEIVED, 1),
            (_, true) => {}
            (_, false) => {
                inbound.count(arrived::OVERSIZED, 1);
                log::error!("evapi: a message of {} is over inbox_size", client.name());
            }
        }
    }

    async fn tell(&self, client: &Client, what: What<'_>) {
        let Some(inbox) = self.inbox(client) else {
            return;
        };
        let mut inbound = inbox.lock().await;
        self.stage(&mut inbound, client, what).await;
        inbound.deliver();
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
