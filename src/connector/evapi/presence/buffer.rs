//! What goes into a client's buffer, and what becomes of a client that does not read it.

use super::Presence;
use crate::connector::evapi::client::{Chunk, Client, End};
use crate::evapi::counter::connector;
use crate::evapi::figure;
use crate::evapi::settings::FullPolicy;
use bytes::Bytes;

impl Presence {
    /// Puts frames, which end at `ends`, into a client's buffer as far as they fit; the policy says
    /// what becomes of the others.
    pub(in crate::connector::evapi) fn give(&self, client: &Client, bytes: &Bytes, ends: &[usize]) {
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
    pub(in crate::connector::evapi) fn wrote(&self, client: &Client, bytes: usize, frames: usize) {
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
}
