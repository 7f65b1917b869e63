//! Scripts that publish numbered messages, and what must have become of them.

use super::peer::{Peer, Reach};
use crate::kamailio::{Config, Kamailio, WORKERS};
use crate::sip::Sip;
use crate::tally::Tally;
use crate::wait;

/// A message: its process, its number in that process, and the body of the request.
pub(super) const NUMBERED: &str = "$pp:$var(n) $rb";

/// Something for [`NUMBERED`] to end with.
pub(super) const SHORT: &[u8] = b"x";

/// As many messages as the user part of a request says; each is tried again until it is accepted,
/// so that no process's numbers have a gap.
pub(super) fn insisting<P: Peer>(peer: &P, config: Config) -> Config {
    looping(peer, config, r#"usleep("1000");"#)
}

/// As many tries as the user part of a request says; the answer is how many were refused.
pub(super) fn trying<P: Peer>(peer: &P, config: Config) -> Config {
    let refused = "$var(refused) = $var(refused) + 1; $var(i) = $var(i) + 1;";
    looping(peer, config, refused)
}

fn looping<P: Peer>(peer: &P, config: Config, refused: &str) -> Config {
    let publish = peer.publish(NUMBERED);
    config.request(&format!(
        r#"$var(i) = 0; $var(refused) = 0; $var(each) = $(rU{{s.int}});
           while ($var(i) < $var(each)) {{
               if ({publish}) {{ $var(n) = $var(n) + 1; $var(i) = $var(i) + 1; }}
               else {{ {refused} }}
           }}
           $var(answer) = "" + $var(refused);"#
    ))
}

/// A peer behind an open gate, and a Kamailio from which so many messages have arrived there.
pub(super) fn under_way<P: Peer>(count: usize) -> (P, Kamailio, Sip) {
    let mut peer = P::start(Reach::Gated);
    peer.gate().open();
    let kamailio = insisting(&peer, peer.config()).start();
    peer.joined(&kamailio);
    let mut sip = kamailio.sip();
    arrives(&mut peer, &mut sip, 0, count);
    (peer, kamailio, sip)
}

/// One message for each request that `message.xml` sends; where it is refused, sipp's call fails.
pub(super) fn paced<P: Peer>(peer: &P, config: Config) -> Config {
    let publish = peer.publish("$pp:$var(n) x");
    config.request(&format!(
        r#"if (!{publish}) {{ sl_send_reply("503", "Refused"); exit; }}
           $var(n) = $var(n) + 1; $var(answer) = "0";"#
    ))
}

/// Has each worker publish so many messages, at the same time.
pub(super) fn from_all_workers(kamailio: &Kamailio, each: u32) {
    let mut sip = kamailio.sip();
    for _ in 0..WORKERS {
        sip.send("MESSAGE", &each.to_string(), SHORT);
    }
    for _ in 0..WORKERS {
        sip.receive(wait::watchdog()).expect("an answer");
    }
}

/// After so many were accepted, publishes some more one by one: each is accepted, and arrives.
pub(super) fn arrives<P: Peer>(peer: &mut P, sip: &mut Sip, accepted: usize, more: usize) {
    if P::WAITS {
        wait::until(&format!("all {accepted} arrived"), || {
            peer.count() >= accepted && unique(peer) == accepted
        });
    }
    let expected = unique(peer) + more;
    for _ in 0..more {
        assert_eq!(sip.message("1", SHORT), "0");
    }
    wait::until(&format!("{more} more arrived"), || {
        peer.count() >= expected && unique(peer) == expected
    });
}

/// From how many processes something arrived.
pub(super) fn processes<P: Peer>(peer: &mut P) -> usize {
    tally(peer).writers()
}

fn unique<P: Peer>(peer: &mut P) -> usize {
    tally(peer).unique()
}

fn tally<P: Peer>(peer: &mut P) -> Tally {
    let tally = Tally::default();
    for payload in peer.arrived() {
        tally.add(&payload);
    }
    tally
}

/// Waits for so many different messages: all that were accepted, in the order of each process, and
/// none twice.
pub(super) fn all_once<P: Peer>(peer: &mut P, accepted: usize) {
    let tally = all(peer, accepted);
    assert_eq!(tally.duplicates(), 0, "messages arrived twice");
}

/// The same, after a fault for which messages may have been sent again.
pub(super) fn all_at_least_once<P: Peer>(peer: &mut P, accepted: usize, what: &str) {
    let tally = all(peer, accepted);
    eprintln!("{what}: {} of {accepted} arrived twice", tally.duplicates());
}

fn all<P: Peer>(peer: &mut P, accepted: usize) -> Tally {
    wait::until(&format!("all {accepted} arrived"), || {
        peer.count() >= accepted && unique(peer) >= accepted
    });
    let tally = tally(peer);
    assert_eq!(tally.unique(), accepted, "more arrived than was accepted");
    assert_eq!(tally.out_of_order(), 0, "messages are out of order");
    tally
}

/// What must hold after connections broke: with a peer that is waited for, everything arrived.
/// Otherwise what arrived is in order and nothing came twice.
pub(super) fn survived<P: Peer>(peer: &mut P, accepted: usize, what: &str) {
    if P::WAITS && P::IDEMPOTENT {
        all_once(peer, accepted);
    } else {
        outlived(peer, accepted, what);
    }
}

/// The same, after the engine was killed: the next one sends again what was not confirmed, and no
/// peer knows it.
pub(super) fn outlived<P: Peer>(peer: &mut P, accepted: usize, what: &str) {
    if !P::WAITS {
        let tally = tally(peer);
        assert_eq!((tally.backwards(), tally.duplicates()), (0, 0));
        let arrived = tally.unique();
        assert!((1..=accepted).contains(&arrived), "{arrived}");
        eprintln!("{what}: {arrived} of {accepted} arrived");
    } else {
        all_at_least_once(peer, accepted, what);
    }
}
