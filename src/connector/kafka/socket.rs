//! The sockets that events go to. Each has a connection and a line of the table of its own, which outlive the library's
//! clients: those are made again after a fatal error, and with new certificates.

use super::ledger::Tally;
use super::presence::Presence;
use super::tls::is_secure;
use crate::kafka::property::IN_SOCKETS;
use crate::kafka::settings::Settings;
use crate::kafka::socket::{Socket, parse};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A socket that events were sent to by now.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) socket: Socket,
    /// The number of its connection.
    pub(super) connection: usize,
    /// Its line of the table.
    pub(super) row: u16,
}

/// All of them, by their text.
#[derive(Debug)]
pub(super) struct Seats {
    settings: Rc<Settings>,
    presence: Rc<Presence>,
    tallies: Arc<[Tally]>,
    taken: RefCell<BTreeMap<Vec<u8>, Rc<Seat>>>,
    /// The library did not take one that is spoken to with TLS: a file of its own may be unsound.
    left_out: Cell<bool>,
}

impl Seats {
    pub(super) fn new(
        settings: Rc<Settings>,
        presence: Rc<Presence>,
        tallies: Arc<[Tally]>,
    ) -> Self {
        Self {
            settings,
            presence,
            tallies,
            taken: RefCell::default(),
            left_out: Cell::default(),
        }
    }

    /// The settings, with the sockets that events are sent to, whoever has subscribed them.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = (*self.settings).clone();
        // A broker's answer is waited for at the start only.
        settings.needs_broker = false;
        for seat in self.taken.borrow().values() {
            if !settings.sockets.contains(&seat.socket) {
                settings.sockets.push(seat.socket.clone());
            }
        }
        settings
    }

    /// Whether one that is spoken to with TLS was ever left out. It is among those there are, or its next event is to come.
    pub(super) fn left_out(&self) -> bool {
        self.left_out.get()
    }

    /// The library does not take it.
    pub(super) fn leave_out(&self, seat: &Seat) {
        if is_secure(&seat.socket.properties) {
            self.left_out.set(true);
        }
    }

    /// Those there are.
    pub(super) fn taken(&self) -> Vec<(Vec<u8>, Rc<Seat>)> {
        let taken = self.taken.borrow();
        let seats = taken.iter();
        seats
            .map(|(text, seat)| (text.clone(), Rc::clone(seat)))
            .collect()
    }

    /// A seat for a new one, which [`take`](Self::take) makes it keep.
    ///
    /// # Errors
    /// What is wrong with the text, or that there are too many.
    pub(super) fn offer(&self, text: &[u8]) -> Result<Seat, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let socket = parse(text).map_err(|mistake| mistake.about(text, IN_SOCKETS))?;
        let most = self.settings.sockets_max;
        let first = self.settings.targets.len();
        let mut free: Vec<usize> = (first..first + most).collect();
        for seat in self.taken.borrow().values() {
            free.retain(|row| *row != usize::from(seat.row));
        }
        let row = self.presence.line(&free, &socket.to_string());
        let row = row.ok_or_else(|| format!("there are {most} already (event_sockets_max)"))?;
        Ok(Seat {
            socket,
            connection: self.presence.next(),
            row: u16::try_from(row).map_err(|error| error.to_string())?,
        })
    }

    /// The socket has a client: its line and its connection are there from now on.
    pub(super) fn take(&self, text: &[u8], seat: Seat) -> Rc<Seat> {
        let row = usize::from(seat.row);
        let stays = self.presence.enter(row, &seat.socket.to_string());
        if !stays && let Some(tally) = self.tallies.get(row) {
            tally.clear();
        }
        let Socket {
            brokers,
            properties,
            ..
        } = &seat.socket;
        self.presence.add(brokers, properties, vec![row]);
        let seat = Rc::new(seat);
        let mut taken = self.taken.borrow_mut();
        taken.insert(text.to_vec(), Rc::clone(&seat));
        seat
    }
}
