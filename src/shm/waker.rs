//! What wakes the engine: an eventfd that every process of this Kamailio has.

#[cfg(sipbus_loom)]
pub use model::Waker;
#[cfg(not(sipbus_loom))]
pub use real::Waker;

#[cfg(not(sipbus_loom))]
mod real {
    use rustix::io::Errno;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// The producer's hold of it.
    #[derive(Debug)]
    pub struct Waker(OwnedFd);

    impl Waker {
        /// Makes one. Not blocking.
        ///
        /// # Errors
        /// The system's.
        pub fn new() -> std::io::Result<Self> {
            let flags =
                rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
            Ok(Self(rustix::event::eventfd(0, flags)?))
        }

        /// The descriptor, for the engine to inherit.
        #[must_use]
        pub fn fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        /// Wakes whoever polls it. Not blocking.
        pub fn wake(&self) {
            while rustix::io::write(&self.0, &1_u64.to_ne_bytes()) == Err(Errno::INTR) {}
        }
    }
}

#[cfg(sipbus_loom)]
mod model {
    use loom::sync::Notify;

    /// The same for the model, with the engine's side: loom fails if that waits for ever.
    #[derive(Debug)]
    pub struct Waker(Notify);

    impl Waker {
        /// Makes one.
        #[must_use]
        pub fn model() -> Self {
            Self(Notify::new())
        }

        /// Wakes whoever waits, or the next who does.
        pub fn wake(&self) {
            self.0.notify();
        }

        /// Waits until woken.
        pub fn wait(&self) {
            self.0.wait();
        }
    }
}
