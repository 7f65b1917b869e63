//! The parts of the region: the words that each of them holds.

use crate::shm::counter::Counter;
use crate::shm::doorbell::Doorbell;
use crate::shm::mailbox::MailboxHeader;
use crate::shm::request::Request;
use crate::shm::ring::Position;
use crate::shm::text::Text;

/// Counters per lane and side, per inbox and side, and per module.
pub const COUNTERS: usize = 16;

/// Figures per peer.
pub const FIGURES: usize = 8;

/// What may lie in the region.
///
/// # Safety
/// The type is `#[repr(C)]`; every bit pattern, all zeroes first, is a valid value; it has no
/// pointer, no reference, no handle of a process and no destructor; all of it may be shared
/// between processes, so each field is an atomic or made of such.
pub unsafe trait Shared {}

/// The beginning of the region.
#[repr(C)]
#[derive(Debug)]
pub struct Head {
    /// [`MAGIC`], written last.
    pub magic: Counter,
    /// Kamailio's process table size.
    pub processes: Counter,
    /// Modules in use.
    pub modules: Counter,
    /// The engine as its supervisor sees it.
    pub engine: Engine,
}

/// "sipbus", plus what the layout's sizes make of it: library and engine of two builds that differ in
/// the layout refuse each other. The last byte is for changes that leave the sizes alone.
pub const MAGIC: u64 = u64::from_be_bytes(*b"sipbus\x00\x01")
    + ((size_of::<Module>() + size_of::<LaneHeader>() + size_of::<InboxHeader>()) as u64)
        * 0x0001_0001
    + (size_of::<Row>() + size_of::<MailboxHeader>()) as u64 * 0x0100;

/// Facts about the engine. Written by the supervisor.
#[repr(C)]
#[derive(Debug)]
pub struct Engine {
    /// Process id, 0 when there is none.
    pub pid: Counter,
    /// When it was started, in seconds since 1970.
    pub started_at: Counter,
    /// How often it was started again.
    pub restarts: Counter,
    /// Log records that found the pipe full. Written by the engine.
    pub log_dropped: Counter,
}

/// One module's own part.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Module {
    /// Rung by Kamailio's processes when a lane has frames or an inbox has room.
    pub bell: Doorbell,
    /// The module's name.
    pub name: Text<32>,
    /// Bytes of each lane, of each inbox, and how many inboxes.
    pub lane_bytes: Counter,
    /// See `lane_bytes`.
    pub inbox_bytes: Counter,
    /// See `lane_bytes`.
    pub inboxes: Counter,
    /// Lines of the table of peers.
    pub rows: Counter,
    /// Bytes of each process's mailbox; 0 for none.
    pub mailbox_bytes: Counter,
    /// Peers that are there now. Written by the engine; by the supervisor when there is no engine.
    pub peers: Counter,
    /// The connector's state, see `link::State`. Written by the engine, like all below.
    pub state: Counter,
    /// Since when, in seconds since 1970.
    pub since: Counter,
    /// The state that the connection events told last.
    pub announced: Counter,
    /// The largest message the peer takes, in bytes; 0 as long as it is unknown.
    pub message_bytes_max: Counter,
    /// The peer's address.
    pub server: Text<256>,
    /// What went wrong last.
    pub error: Text<512>,
    /// The connector's own counters.
    pub counters: [Counter; COUNTERS],
    /// Asks for the certificates to be read again.
    pub renewal: Request,
}

impl Module {
    /// What the supervisor notes when the engine died: nothing is connected, as of `now` (seconds
    /// since 1970).
    pub fn disconnect(&self, now: u64) {
        if self.state.value() != 0 {
            self.since.set(now);
            self.state.set(0);
        }
        self.server.set("");
    }
}

/// One lane's shared words.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct LaneHeader {
    /// Written by the Kamailio process.
    pub tail: Position,
    /// Written by the engine.
    pub head: Position,
    /// Rung by the engine when there is room again.
    pub room: Doorbell,
    /// Counters of the Kamailio process.
    pub submitted: [Counter; COUNTERS],
    /// Counters of the engine.
    pub taken: [Counter; COUNTERS],
}

/// One inbox's shared words.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct InboxHeader {
    /// Written by the engine.
    pub tail: Position,
    /// Written by the event worker.
    pub head: Position,
    /// Rung by the engine when there are events.
    pub bell: Doorbell,
    /// Rung by the event worker when there is room again.
    pub room: Doorbell,
    /// One more than the number of the event worker's process; 0 as long as it has handled nothing.
    /// Written by the event worker.
    pub process: Counter,
    /// Nanoseconds that an event took lately. Written by the event worker.
    pub pace: Counter,
    /// Up to where events must be handled before `room` is rung. Written by the engine.
    pub notice: Counter,
    /// Counters of the engine.
    pub delivered: [Counter; COUNTERS],
    /// Counters of the event worker.
    pub handled: [Counter; COUNTERS],
}

/// One line of a module's table of peers, for connectors that have several at a time. Read by any
/// process without a lock; written by the engine, but for `closing` and `orders`.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Row {
    /// Which peer it is: a number that is never given twice. 0 for a free line.
    pub generation: Counter,
    /// How far it is, in the connector's own numbers.
    pub state: Counter,
    /// Since when it is there, in seconds since 1970.
    pub since: Counter,
    /// The generation that an event worker has closed; each writes the same.
    pub closing: Counter,
    /// How many orders event workers have given for it: one of them at a time.
    pub orders: Counter,
    /// The peer's port.
    pub port: Counter,
    /// The peer's address.
    pub address: Text<128>,
    /// What a script calls it; empty for nothing.
    pub tag: Text<64>,
    /// The connector's own figures.
    pub figures: [Counter; FIGURES],
}

// SAFETY: repr(C), atomics only, valid when zeroed.
unsafe impl Shared for Head {}
// SAFETY: as above.
unsafe impl Shared for Row {}
// SAFETY: as above.
unsafe impl Shared for Module {}
// SAFETY: as above.
unsafe impl Shared for LaneHeader {}
// SAFETY: as above.
unsafe impl Shared for InboxHeader {}
// SAFETY: as above.
unsafe impl Shared for MailboxHeader {}

const _: () = assert!(size_of::<Head>() == 56);
const _: () = assert!(size_of::<LaneHeader>() == 5 * 128);
const _: () = assert!(size_of::<InboxHeader>() == 7 * 128);
const _: () = assert!(size_of::<Module>().is_multiple_of(128));
const _: () = assert!(size_of::<Row>() == 3 * 128);
const _: () = assert!(size_of::<MailboxHeader>() == 128);
