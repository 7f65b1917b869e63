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

mod part;

use super::mailbox::MailboxHeader;
pub use part::{
    COUNTERS, Engine, FIGURES, Head, InboxHeader, LaneHeader, MAGIC, Module, Row, Shared,
};

/// The size rings are rounded to: the largest page Kamailio's platforms map by default.
pub const PAGE_BYTES: usize = 65536;

/// The largest number of modules one region serves.
pub const MODULES_MAX: usize = 8;

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
