//! The frames of the kazoo module: what Kamailio's processes order, what event workers are told, and
//! what lies in a mailbox.

mod arrived;
mod event;
mod numbers;
mod order;

pub use arrived::{Arrived, REPLY_OVERHEAD, Reason};
pub use event::{EVENT_OVERHEAD, Event, TARGETED};
pub use order::{ORDER_OVERHEAD, Order, PRIMARY, Publish, Query, Waiter};

use numbers::{Numbers, Reader};

/// A transaction that is suspended until an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Suspended {
    /// Its index.
    pub tindex: u32,
    /// Its label.
    pub tlabel: u32,
    /// The route for the answer, a number of the worker half's.
    pub ok: u32,
    /// The route for when there is none.
    pub err: u32,
}

impl Suspended {
    fn write(&self, numbers: Numbers) -> Numbers {
        let numbers = numbers.u32(self.tindex).u32(self.tlabel);
        numbers.u32(self.ok).u32(self.err)
    }

    fn read(numbers: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            tindex: numbers.u32()?,
            tlabel: numbers.u32()?,
            ok: numbers.u32()?,
            err: numbers.u32()?,
        })
    }
}
