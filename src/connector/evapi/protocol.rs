//! Frames on their way out: those for the same clients share one piece of memory.

use super::client::Client;
use super::presence::Presence;
use crate::evapi::netstring::put_length;
use crate::frame::evapi::{Order, To};
use crate::link::Verdict;
use bytes::Bytes;
use std::rc::Rc;

/// Frames in a row that go to the same clients.
#[derive(Debug, Default)]
pub(super) struct Run {
    to: Option<Receivers>,
    clients: Vec<Rc<Client>>,
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
    /// How large the last run was.
    usual: usize,
}

#[derive(Debug)]
struct Receivers {
    kind: Kind,
    tag: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Tagged,
    First,
}

fn split<'a>(to: &To<'a>) -> (Kind, &'a [u8]) {
    match to {
        To::All => (Kind::All, &[]),
        To::Tagged(tag) => (Kind::Tagged, tag),
        To::First(tag) => (Kind::First, tag),
    }
}

impl Run {
    /// Does what a frame asks for.
    pub(super) fn obey(&mut self, presence: &Presence, frame: &[u8]) -> Verdict {
        let order = match Order::parse(frame) {
            Some(Order::Relay(to, data)) => return self.relay(presence, &to, data),
            Some(order) => order,
            None => {
                log::error!("evapi: a frame that cannot be read is left out");
                return Verdict::Rejected;
            }
        };
        // What was relayed before must go to those who were there then.
        self.end(presence);
        match order {
            Order::Relay(..) => {}
            Order::Admit(connection) => {
                if let Some(client) = presence.find(&connection) {
                    presence.admit(&client);
                }
            }
            Order::Close(connection) => {
                if let Some(client) = presence.find(&connection) {
                    client.orders.set(client.orders.get() + 1);
                    client.finish(super::client::End::Asked);
                    presence.closing(&client);
                }
            }
            Order::Tag(connection, tag) => {
                if let Some(client) = presence.find(&connection) {
                    client.orders.set(client.orders.get() + 1);
                    presence.tag(&client, tag);
                }
            }
        }
        Verdict::Obeyed
    }

    fn relay(&mut self, presence: &Presence, to: &To<'_>, data: &[u8]) -> Verdict {
        let (kind, tag) = split(to);
        let same = self
            .to
            .as_ref()
            .is_some_and(|known| known.kind == kind && known.tag == tag);
        if !same {
            self.end(presence);
            presence.select(to, &mut self.clients);
            self.to = Some(Receivers {
                kind,
                tag: tag.to_vec(),
            });
        }
        if self.clients.is_empty() {
            return Verdict::Rejected;
        }
        if self.bytes.is_empty() {
            // Most are as large as the last one, or a frame larger.
            let usual = self.usual + self.usual / 8;
            self.bytes.reserve(usual.max(data.len() + 16));
        }
        let before = self.bytes.len();
        if presence.settings.netstrings {
            put_length(&mut self.bytes, data.len());
            self.bytes.extend_from_slice(data);
            self.bytes.push(b',');
        } else {
            self.bytes.extend_from_slice(data);
        }
        self.ends.push(self.bytes.len());
        Verdict::Sent(self.bytes.len() - before)
    }

    /// Gives what there is to its clients. Who they are is asked anew for the next frame.
    pub(super) fn end(&mut self, presence: &Presence) {
        self.to = None;
        if self.ends.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        self.usual = bytes.len();
        // A client may keep this for long.
        if bytes.len() < bytes.capacity() / 2 {
            bytes.shrink_to_fit();
        }
        let bytes = Bytes::from(bytes);
        for client in self.clients.drain(..) {
            presence.give(&client, &bytes, &self.ends);
        }
        self.ends.clear();
    }
}
