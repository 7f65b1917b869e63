//! What operators and their alarms see: whether the peer is there, since when, and what waits for it.

use super::load;
use super::peer::{Peer, Reach, present};
use crate::{turn, wait};

pub(crate) fn figures_tell_of_an_absent_peer_and_of_what_waits_for_it<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let mut peer = P::start(Reach::Gated);
    let kamailio = load::insisting(&peer, peer.config()).start();
    // One that only listens has all it needs.
    let alone = u64::from(!P::WAITS);
    wait::until("the connection is shown as it is", || {
        kamailio.counter("connected") == alone && kamailio.connector()["since"] != 0
    });
    assert_eq!(kamailio.sip().message("3", load::SHORT), "0");
    assert_eq!(kamailio.counter("accepted"), 3);
    if P::WAITS {
        assert!(kamailio.counter("lanes_used") > 0);
        assert_eq!(kamailio.counter("connected"), 0);
    }
    peer.gate().open();
    peer.joined(&kamailio);
    kamailio.wait_counter("connected", 1);
    wait::until("nothing waits any more", || {
        kamailio.counter("lanes_used") == 0
    });
    kamailio.stop();
}
