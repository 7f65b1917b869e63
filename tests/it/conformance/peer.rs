//! What the rules need to know of the other end.

use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::require;

/// How a test uses its peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is there, and is left as it is, or is as it was at the end.
    Steady,
    /// It is there, it may be killed and started again, and keeps what it has.
    Mortal,
    /// It is there, behind a gate that is shut: Kamailio cannot reach it.
    Gated,
}

/// The other end of one connector: a real server, and an independent reader of what arrived there.
pub(crate) trait Peer: Sized {
    /// What must be installed, as [`require::present`] knows it.
    const NEEDS: &'static [&'static str];

    /// Messages that keep the connector and a loaded machine busy for a second or two.
    const BURST: u32;

    /// What was accepted while the peer is away is kept until it comes. Where it is not, such a
    /// message is gone, and so is what was on its way when the connection broke.
    const WAITS: bool = true;

    /// Connections that the engine has with it while messages go out, at the most.
    const CONNECTIONS: usize;

    /// A broken connection makes nothing arrive twice.
    const IDEMPOTENT: bool = false;

    /// An empty message is one. Where it is not, it is refused.
    const EMPTY: bool = true;

    /// A message may be any bytes. Where it must not, it is refused.
    const BINARY: bool = true;

    /// The longest body that fits a `message_size_max` of 4096.
    const LARGEST: usize = 4096;

    /// Starts the server, with a place of its own for the test's messages.
    fn start(reach: Reach) -> Self;

    /// A configuration that reaches it.
    fn config(&self) -> Config;

    /// The call that publishes a text, in which variables are replaced.
    fn publish(&self, text: &str) -> String;

    /// Waits until Kamailio and the peer are connected: at first, and once after each time that
    /// their connection broke.
    fn joined(&mut self, kamailio: &Kamailio);

    /// The gate of [`Reach::Gated`].
    fn gate(&self) -> &Gate;

    /// Holds it up: its connections stay, and nothing moves on them.
    fn freeze(&self);

    /// Ends [`Peer::freeze`].
    fn thaw(&self);

    /// Ends it as a crash does.
    fn kill(&mut self);

    /// Starts it after [`Peer::kill`].
    fn start_again(&mut self);

    /// How many messages have arrived so far, repetitions included.
    fn count(&mut self) -> usize;

    /// What has arrived so far, in its order.
    fn arrived(&mut self) -> Vec<Vec<u8>>;
}

/// Whether all that a peer needs is there, and `more`.
pub(crate) fn present<P: Peer>(more: &[&str]) -> bool {
    require::present(&["kamailio"]) && require::present(P::NEEDS) && require::present(more)
}

/// Holds a peer up until it is dropped, also where the test fails meanwhile: others may share it.
pub(crate) struct Frozen<'a, P: Peer>(&'a P);

impl<'a, P: Peer> Frozen<'a, P> {
    pub(crate) fn new(peer: &'a P) -> Self {
        peer.freeze();
        Self(peer)
    }
}

impl<P: Peer> Drop for Frozen<'_, P> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}
