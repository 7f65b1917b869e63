//! A link for tests: to a region of its own, with the lane of one process.

use super::Link;
use crate::shm::lane::Lane;
use crate::shm::layout::ModulePlan;
use crate::shm::region::Region;
use crate::shm::waker::Waker;
use std::time::Duration;
use tokio::sync::watch;

/// See the module.
pub(crate) struct Stand {
    region: &'static Region,
    lane: Lane,
    _drain: watch::Sender<bool>,
}

impl Stand {
    /// On the current `LocalSet`.
    pub(crate) fn open() -> (Self, Link) {
        let plan = ModulePlan {
            name: "test".into(),
            lane_bytes: 1 << 20,
            inbox_bytes: 1,
            inboxes: 0,
            rows: 0,
            mailbox_bytes: 0,
        };
        let region = Region::create(1, vec![plan]).unwrap();
        let waker: &Waker = Box::leak(Box::new(Waker::new().unwrap()));
        let (drain, draining) = watch::channel(false);
        let fd = waker.fd().try_clone_to_owned().unwrap();
        let stand = Self {
            region,
            lane: Lane::attach(region, 0, 0, waker, Duration::ZERO).unwrap(),
            _drain: drain,
        };
        let link = Link::open(region, 0, fd, Vec::new(), draining).unwrap();
        (stand, link)
    }

    /// The process hands a frame over.
    pub(crate) fn submit(&mut self, frame: &[u8]) {
        self.lane.submit(&[frame]).unwrap();
    }

    /// Bytes of its frames that are not released.
    pub(crate) fn used(&self) -> usize {
        self.region.lane(0, 0).unwrap().1.used()
    }
}
