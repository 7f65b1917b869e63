//! What lies where in the region.
//!
//! ```text
//!  Head | Module x modules | LaneHeader x modules x processes | InboxHeader x inboxes | Row x rows |
//!  MailboxHeader x modules with mailboxes x processes
//!  (page) lane bytes x modules x processes                      (each mapped twice, see store.rs)
//!  (page) inbox bytes x inboxes                                 (each mapped twice)
//!  (page) mailbox bytes x modules with mailboxes x processes    (each mapped twice)
//! ```
//!
//! The layout follows from the plan alone, which the head holds, so that every process computes
//! the same.

use super::counter::Counter;
use super::doorbell::Doorbell;
use super::mailbox::MailboxHeader;
use super::request::Request;
use super::ring::Position;
use super::text::Text;

/// The size rings are rounded to: the largest page Kamailio's platforms map by default.
pub const PAGE_BYTES: usize = 65536;

/// The largest number of modules one region serves.
pub const MODULES_MAX: usize = 8;

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

/// What one module asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePlan {
    /// The module's name.
    pub name: String,
    /// Bytes of each process's lane.
    pub lane_bytes: usize,
    /// Bytes of each event worker's inbox.
    pub inbox_bytes: usize,
    /// Event workers.
    pub inboxes: usize,
    /// Lines of its table of peers; 0 for a connector with a fixed peer.
    pub rows: usize,
    /// Bytes of each process's mailbox, for modules with blocking calls; 0 for none.
    pub mailbox_bytes: usize,
}

/// What the region is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Kamailio's process table size.
    pub processes: usize,
    /// The modules, in the order of their indexes.
    pub modules: Vec<ModulePlan>,
}

/// A ring's place: in the file and in the address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingPlace {
    /// Offset in the memfd.
    pub file: usize,
    /// Offset in the mapped range, of the first of the two mappings.
    pub mapped: usize,
    /// Bytes, a power of two.
    pub bytes: usize,
}

/// Offsets that follow from a plan.
#[derive(Debug)]
pub struct Layout {
    lanes: usize,
    inboxes: usize,
    rows: usize,
    mailboxes: usize,
    /// Bytes in front of the rings, whole pages.
    pub head_bytes: usize,
    /// By module: the lanes of all processes, the inboxes, the mailboxes.
    rings: Vec<Vec<RingPlace>>,
    /// Size of the memfd.
    pub file_bytes: usize,
    /// Size of the mapped range.
    pub mapped_bytes: usize,
    processes: usize,
    inboxes_before: Vec<usize>,
    /// By module: how many modules with mailboxes come before it, and how many inboxes it has.
    mailboxes_before: Vec<(usize, usize)>,
    /// By module: how many lines come before its own, and how many it has.
    tables: Vec<(usize, usize)>,
}

/// Rounds a ring's size up to what can be mapped: a power of two, at least a page.
#[must_use]
pub fn ring_bytes(wanted: usize) -> usize {
    wanted
        .max(PAGE_BYTES)
        .checked_next_power_of_two()
        .unwrap_or(1 << 63)
}

impl Layout {
    /// Computes the layout of `plan`.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let modules = size_of::<Head>().next_multiple_of(128);
        let lanes = modules + plan.modules.len() * size_of::<Module>();
        let inboxes = lanes + plan.modules.len() * plan.processes * size_of::<LaneHeader>();
        let inbox_count: usize = plan.modules.iter().map(|module| module.inboxes).sum();
        let rows = inboxes + inbox_count * size_of::<InboxHeader>();
        let mut row_count = 0;
        let tables = plan.modules.iter().map(|module| {
            row_count += module.rows;
            (row_count - module.rows, module.rows)
        });
        let tables = tables.collect();
        let mailboxes = rows + row_count * size_of::<Row>();
        let mut mailbox_count = 0;
        let mailboxes_before = plan.modules.iter().map(|module| {
            let before = mailbox_count;
            mailbox_count += usize::from(module.mailbox_bytes > 0);
            (before, module.inboxes)
        });
        let mailboxes_before = mailboxes_before.collect();
        let mailbox_bytes = mailbox_count * plan.processes * size_of::<MailboxHeader>();
        let head_bytes = (mailboxes + mailbox_bytes).next_multiple_of(PAGE_BYTES);
        let (mut file, mut mapped, mut before) = (head_bytes, head_bytes, 0);
        let (mut rings, mut inboxes_before) = (Vec::new(), Vec::new());
        for module in &plan.modules {
            let lane = std::iter::repeat_n(ring_bytes(module.lane_bytes), plan.processes);
            let inbox = std::iter::repeat_n(ring_bytes(module.inbox_bytes), module.inboxes);
            let boxes = if module.mailbox_bytes > 0 {
                plan.processes
            } else {
                0
            };
            let mailbox = std::iter::repeat_n(ring_bytes(module.mailbox_bytes), boxes);
            rings.push(
                lane.chain(inbox)
                    .chain(mailbox)
                    .map(|bytes| {
                        let place = RingPlace {
                            file,
                            mapped,
                            bytes,
                        };
                        file += bytes;
                        mapped += 2 * bytes;
                        place
                    })
                    .collect(),
            );
            inboxes_before.push(before);
            before += module.inboxes;
        }
        Self {
            lanes,
            inboxes,
            rows,
            mailboxes,
            head_bytes,
            rings,
            file_bytes: file,
            mapped_bytes: mapped,
            processes: plan.processes,
            inboxes_before,
            mailboxes_before,
            tables,
        }
    }

    /// Offset of module `index`.
    #[must_use]
    pub fn module(&self, index: usize) -> usize {
        size_of::<Head>().next_multiple_of(128) + index * size_of::<Module>()
    }

    /// Offset of a lane's header, and its ring.
    #[must_use]
    pub fn lane(&self, module: usize, process: usize) -> Option<(usize, RingPlace)> {
        let lane = module * self.processes + process;
        let place = self
            .rings
            .get(module)?
            .get(process)
            .filter(|_| process < self.processes)?;
        Some((self.lanes + lane * size_of::<LaneHeader>(), *place))
    }

    /// Offset of an inbox's header, and its ring.
    #[must_use]
    pub fn inbox(&self, module: usize, inbox: usize) -> Option<(usize, RingPlace)> {
        let (_, inboxes) = self.mailboxes_before.get(module)?;
        let place = self
            .rings
            .get(module)?
            .get(self.processes + inbox)
            .filter(|_| inbox < *inboxes)?;
        let index = self.inboxes_before.get(module)? + inbox;
        Some((self.inboxes + index * size_of::<InboxHeader>(), *place))
    }

    /// Offset of a line of a module's table of peers.
    #[must_use]
    pub fn row(&self, module: usize, row: usize) -> Option<usize> {
        let (before, count) = *self.tables.get(module)?;
        (row < count).then_some(self.rows + (before + row) * size_of::<Row>())
    }

    /// Offset of a mailbox's header, and its bytes.
    #[must_use]
    pub fn mailbox(&self, module: usize, process: usize) -> Option<(usize, RingPlace)> {
        let (before, inboxes) = *self.mailboxes_before.get(module)?;
        let index = self.processes + inboxes + process;
        let place = self.rings.get(module)?.get(index)?;
        let header = before * self.processes + process;
        Some((self.mailboxes + header * size_of::<MailboxHeader>(), *place))
    }

    /// Every ring.
    pub fn rings(&self) -> impl Iterator<Item = RingPlace> + '_ {
        self.rings.iter().flatten().copied()
    }
}
