//! Creates and opens the region, and hands out typed views of it.

use super::layout::{
    Head, InboxHeader, LaneHeader, Layout, MAGIC, MODULES_MAX, Module, ModulePlan, Plan, RingPlace,
    Row, Shared,
};
use super::mailbox::MailboxHeader;
use super::map::Mapping;
use super::ring::Ring;
use super::store::Store;
use rustix::fs::{MemfdFlags, Mode, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The region, mapped. It stays mapped until the process ends, so everything in it is `'static`.
#[derive(Debug)]
pub struct Region {
    fd: OwnedFd,
    mapping: Mapping,
    layout: Layout,
    plan: Plan,
}

// SAFETY: the mapping belongs to no thread, and everything reached through it is atomic or guarded
// by a ring's roles.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

fn unsound(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("shared memory: {what}"))
}

impl Region {
    /// Makes a new region for `modules`. Not blocking.
    ///
    /// # Errors
    /// The system's, when memory or descriptors are short.
    ///
    /// # Phase
    /// Kamailio's `child_init(PROC_INIT)`: before every fork, after the last `register_procs`.
    pub fn create(processes: usize, modules: Vec<ModulePlan>) -> io::Result<&'static Self> {
        if modules.len() > MODULES_MAX {
            return Err(unsound("more modules than the layout has room for"));
        }
        let plan = Plan { processes, modules };
        let layout = Layout::of(&plan);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("sipbus", flags)?;
        // Made for everybody, though only this user's processes have a path to it.
        rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::ftruncate(&fd, layout.file_bytes as u64)?;
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let mapping = Mapping::of(fd.as_fd(), &layout)?;
        let region = Self {
            fd,
            mapping,
            layout,
            plan,
        };
        region.describe();
        region.head().magic.set(MAGIC);
        Ok(Box::leak(Box::new(region)))
    }

    /// Opens the region behind `fd`, as the engine does.
    ///
    /// # Errors
    /// The system's, or that `fd` is no region of this version.
    pub fn open(fd: OwnedFd) -> io::Result<&'static Self> {
        let plan = read_plan(fd.as_fd())?;
        let layout = Layout::of(&plan);
        if rustix::fs::fstat(&fd)?.st_size != i64::try_from(layout.file_bytes).unwrap_or(-1) {
            return Err(unsound("its size is not what its plan says"));
        }
        let mapping = Mapping::of(fd.as_fd(), &layout)?;
        Ok(Box::leak(Box::new(Self {
            fd,
            mapping,
            layout,
            plan,
        })))
    }

    /// The descriptor, for the engine to inherit.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What it was made for.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The beginning.
    #[must_use]
    pub fn head(&self) -> &'static Head {
        self.part(0)
    }

    /// A module's part. `index` must be below the number of modules.
    #[must_use]
    pub fn module(&self, index: usize) -> &'static Module {
        assert!(index < self.plan.modules.len());
        self.part(self.layout.module(index))
    }

    /// The parts of all modules.
    pub fn modules(&self) -> impl Iterator<Item = &'static Module> + '_ {
        (0..self.plan.modules.len()).map(|index| self.module(index))
    }

    /// A process's lane, or none if there is no such process or module.
    #[must_use]
    pub fn lane(&self, module: usize, process: usize) -> Option<(&'static LaneHeader, Ring)> {
        let (at, place) = self.layout.lane(module, process)?;
        let header: &'static LaneHeader = self.part(at);
        Some((
            header,
            Ring::new(&header.head, &header.tail, self.store(place)),
        ))
    }

    /// An event worker's inbox, or none if there is no such worker or module.
    #[must_use]
    pub fn inbox(&self, module: usize, inbox: usize) -> Option<(&'static InboxHeader, Ring)> {
        let (at, place) = self.layout.inbox(module, inbox)?;
        let header: &'static InboxHeader = self.part(at);
        Some((
            header,
            Ring::new(&header.head, &header.tail, self.store(place)),
        ))
    }

    /// A line of a module's table of peers, or none behind the last.
    #[must_use]
    pub fn row(&self, module: usize, row: usize) -> Option<&'static Row> {
        Some(self.part(self.layout.row(module, row)?))
    }

    /// All lines of a module's table of peers.
    pub fn rows(&self, module: usize) -> impl Iterator<Item = &'static Row> {
        (0..).map_while(move |row| self.row(module, row))
    }

    /// A process's mailbox, or none if there is no such process or the module has none.
    #[must_use]
    pub fn mailbox(
        &self,
        module: usize,
        process: usize,
    ) -> Option<(&'static MailboxHeader, Store)> {
        let (at, place) = self.layout.mailbox(module, process)?;
        Some((self.part(at), self.store(place)))
    }

    fn describe(&self) {
        let head = self.head();
        head.processes.set(self.plan.processes as u64);
        head.modules.set(self.plan.modules.len() as u64);
        for (index, plan) in self.plan.modules.iter().enumerate() {
            let module = self.module(index);
            module.name.set(&plan.name);
            module.lane_bytes.set(plan.lane_bytes as u64);
            module.inbox_bytes.set(plan.inbox_bytes as u64);
            module.inboxes.set(plan.inboxes as u64);
            module.rows.set(plan.rows as u64);
            module.mailbox_bytes.set(plan.mailbox_bytes as u64);
        }
    }

    fn store(&self, place: RingPlace) -> Store {
        // SAFETY: `Mapping::of` mapped this place twice in a row, for good.
        unsafe { Store::new(self.mapping.at(place.mapped), place.bytes) }
    }

    fn part<T: Shared>(&self, offset: usize) -> &'static T {
        assert!(offset + size_of::<T>() <= self.layout.head_bytes);
        assert!(offset.is_multiple_of(align_of::<T>()));
        let at: *mut T = self.mapping.at(offset).cast();
        // SAFETY: mapped for good, aligned, and any bits are a valid T (trait Shared).
        unsafe { &*at }
    }
}

/// Reads the plan from a region that is not mapped yet.
fn read_plan(fd: BorrowedFd<'_>) -> io::Result<Plan> {
    let seals = rustix::fs::fcntl_get_seals(fd)?;
    if !seals.contains(SealFlags::SHRINK | SealFlags::GROW) {
        return Err(unsound("its size is not sealed"));
    }
    let empty = Plan {
        processes: 0,
        modules: Vec::new(),
    };
    let bytes = Layout::of(&empty).module(MODULES_MAX);
    if rustix::fs::fstat(fd)?.st_size < i64::try_from(bytes).unwrap_or(i64::MAX) {
        return Err(unsound("it is shorter than its own head"));
    }
    // SAFETY: the kernel chooses a free range, of a file whose size is sealed.
    let at = unsafe {
        let flags = (ProtFlags::READ, MapFlags::SHARED);
        rustix::mm::mmap(std::ptr::null_mut(), bytes, flags.0, flags.1, fd, 0)?
    };
    // SAFETY: the head begins the mapping, which is long enough and stays.
    let head: &'static Head = unsafe { &*at.cast::<Head>() };
    if head.magic.value() != MAGIC {
        return Err(unsound("made by another version of sipbus"));
    }
    let number = |value: u64| usize::try_from(value).map_err(|_| unsound("a size overflows"));
    let count = number(head.modules.value())?;
    if count > MODULES_MAX {
        return Err(unsound("it names too many modules"));
    }
    let mut modules = Vec::new();
    for index in 0..count {
        // SAFETY: below MODULES_MAX, so inside the mapping; `module` offsets are aligned to 128.
        let at = unsafe { at.byte_add(Layout::of(&empty).module(index)) };
        // SAFETY: as above, and any bits are a valid Module.
        let module: &'static Module = unsafe { &*at.cast::<Module>() };
        modules.push(ModulePlan {
            name: module.name.value(),
            lane_bytes: number(module.lane_bytes.value())?,
            inbox_bytes: number(module.inbox_bytes.value())?,
            inboxes: number(module.inboxes.value())?,
            rows: number(module.rows.value())?,
            mailbox_bytes: number(module.mailbox_bytes.value())?,
        });
    }
    Ok(Plan {
        processes: number(head.processes.value())?,
        modules,
    })
}
