//! One client as the rest of the connector sees it: who it is, and what waits for it.

use crate::evapi::State;
use crate::frame::evapi::Connection;
use bytes::{Buf, Bytes};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Chunks that are written in one go.
const HAND_CHUNKS: usize = 64;

/// Why a connection is ended by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A script or an operator asked for it: what waits goes out first.
    Asked,
    /// Its buffer is full.
    Full,
}

/// Whole frames in a row.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) frames: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) address: String,
    pub(super) state: Cell<State>,
    pub(super) tag: RefCell<Vec<u8>>,
    /// It read too slowly when it was looked at last, and nobody waits for it until it has caught up.
    pub(super) slow: Cell<bool>,
    /// Since when, and from how many bytes written, it is watched because its buffer is half full.
    pub(super) look: Cell<Option<(Instant, u64)>>,
    /// Frames for it are left out now, which was logged.
    pub(super) dropping: Cell<bool>,
    pub(super) dropped: Cell<u64>,
    /// Bytes written so far.
    pub(super) written: Cell<u64>,
    pub(super) frames_written: Cell<u64>,
    /// Orders of event workers that were obeyed.
    pub(super) orders: Cell<u64>,
    /// The worker of its latest event, and the place behind that in its inbox.
    pub(super) latest: Cell<Option<(usize, u64)>>,
    /// With spread_messages, the place behind its latest event in the inbox of each worker that got one.
    pub(super) spread: RefCell<BTreeMap<usize, u64>>,
    queue: RefCell<VecDeque<Chunk>>,
    /// Bytes in the queue and in the writer's hand.
    buffered: Cell<usize>,
    end: Cell<Option<End>>,
    /// It takes nothing any more.
    broken: Cell<bool>,
    /// Its writer is to write what waits, and then to end this side of the connection.
    parting: Cell<bool>,
    /// For the one task that serves it.
    changed: Notify,
    /// For its writer.
    wake: Notify,
}

impl Client {
    pub(super) fn new(connection: Connection, address: String, state: State, tag: Vec<u8>) -> Self {
        Self {
            connection,
            address,
            state: Cell::new(state),
            tag: RefCell::new(tag),
            slow: Cell::new(false),
            look: Cell::new(None),
            dropping: Cell::new(false),
            dropped: Cell::new(0),
            written: Cell::new(0),
            frames_written: Cell::new(0),
            orders: Cell::new(0),
            latest: Cell::new(None),
            spread: RefCell::default(),
            queue: RefCell::default(),
            buffered: Cell::new(0),
            end: Cell::new(None),
            broken: Cell::new(false),
            parting: Cell::new(false),
            changed: Notify::new(),
            wake: Notify::new(),
        }
    }

    /// Its place in the table.
    pub(super) fn index(&self) -> usize {
        self.connection.index as usize
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        let Connection { index, port, .. } = self.connection;
        let address = &self.address;
        match port {
            0 => format!("client {index} ({address})"),
            _ if address.contains(':') => format!("client {index} ([{address}]:{port})"),
            _ => format!("client {index} ({address}:{port})"),
        }
    }

    /// Bytes that wait for being written.
    pub(super) fn buffered(&self) -> usize {
        self.buffered.get()
    }

    /// Puts a chunk behind the others; the caller has looked at the limit.
    pub(super) fn push(&self, chunk: Chunk) {
        if self.broken.get() {
            return;
        }
        self.buffered.set(self.buffered.get() + chunk.bytes.len());
        self.queue.borrow_mut().push_back(chunk);
        if self.state.get() != State::New {
            self.wake.notify_one();
        }
    }

    /// Moves what waits into the writer's hand. False if there is nothing.
    pub(super) fn hand_over(&self, hand: &mut Hand) -> bool {
        let mut queue = self.queue.borrow_mut();
        let count = queue.len().min(HAND_CHUNKS);
        hand.chunks.extend(queue.drain(..count));
        count > 0
    }

    /// Notes that so many bytes were written.
    pub(super) fn wrote(&self, bytes: usize, frames: usize) {
        let left = self.buffered.get().saturating_sub(bytes);
        self.buffered.set(left);
        self.written.set(self.written.get() + bytes as u64);
        self.frames_written
            .set(self.frames_written.get() + frames as u64);
    }

    /// It takes nothing any more: forgets what waits. Its reader finds out by itself, after what
    /// came before.
    pub(super) fn broken(&self) {
        self.broken.set(true);
        self.queue.borrow_mut().clear();
        self.buffered.set(0);
        self.changed.notify_one();
    }

    /// True if it takes nothing any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Has the writer end once it has written what waits.
    pub(super) fn part(&self) {
        self.parting.set(true);
        self.wake.notify_one();
    }

    /// True if nothing more will come for the writer.
    pub(super) fn is_parting(&self) -> bool {
        self.parting.get()
    }

    /// Waits until there is something to write, or nothing will come any more.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// It may take part from now on.
    pub(super) fn admit(&self) {
        if self.state.get() == State::New {
            self.state.set(State::Up);
            self.wake.notify_one();
            self.changed.notify_one();
        }
    }

    /// Ends it; the first reason counts.
    pub(super) fn finish(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
            if end == End::Full {
                self.broken();
            }
            self.changed.notify_one();
        }
    }

    /// Why it is to end, if it is.
    pub(super) fn end(&self) -> Option<End> {
        self.end.get()
    }

    /// Waits until it may take part or is to end. For the task that serves it.
    pub(super) async fn admitted(&self) {
        while self.state.get() == State::New && self.end.get().is_none() {
            self.changed.notified().await;
        }
    }

    /// Waits until it is to end. For the task that serves it.
    pub(super) async fn ended(&self) -> End {
        loop {
            if let Some(end) = self.end.get() {
                return end;
            }
            self.changed.notified().await;
        }
    }

    /// Waits until it is to end or takes nothing any more. For the task that serves it.
    pub(super) async fn lost(&self) {
        while self.end.get().is_none() && !self.broken.get() {
            self.changed.notified().await;
        }
    }
}

/// What a writer is writing.
#[derive(Debug, Default)]
pub(super) struct Hand {
    chunks: VecDeque<Chunk>,
    frames_done: usize,
}

impl Hand {
    /// Frames that were written completely since the last question.
    pub(super) fn take_frames_done(&mut self) -> usize {
        std::mem::take(&mut self.frames_done)
    }
}

impl Buf for Hand {
    fn remaining(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| &chunk.bytes)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.chunks);
        pairs
            .map(|(slice, chunk)| *slice = IoSlice::new(&chunk.bytes))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.chunks.front_mut() {
            if count < front.bytes.len() {
                front.bytes.advance(count);
                return;
            }
            count -= front.bytes.len();
            self.frames_done += front.frames;
            self.chunks.pop_front();
        }
    }
}
