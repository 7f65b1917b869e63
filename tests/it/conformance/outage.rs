//! The peer away, cut off or killed: what was accepted arrives.

use super::load;
use super::peer::{Peer, Reach, present};
use crate::sipp::Sipp;
use crate::{turn, wait};

pub(crate) fn accepted_while_the_peer_is_away_arrives_later<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const AWAY: usize = 200;
    const BACK: usize = 20;
    let mut peer = P::start(Reach::Gated);
    let kamailio = load::insisting(&peer, peer.config()).start();
    let mut sip = kamailio.sip();
    for _ in 0..AWAY {
        assert_eq!(sip.message("1", load::SHORT), "0");
    }
    assert_eq!(kamailio.counter("accepted"), AWAY as u64);
    if P::WAITS {
        assert_ne!(kamailio.connector()["state"], "connected");
    }
    peer.gate().open();
    peer.joined(&kamailio);
    if P::WAITS {
        load::all_once(&mut peer, AWAY);
    } else {
        assert_eq!(peer.count(), 0, "nobody was there");
    }
    load::arrives(&mut peer, &mut sip, AWAY, BACK);
    load::survived(&mut peer, AWAY + BACK, "the peer was away");
    kamailio.stop();
}

pub(crate) fn a_connection_that_ends_in_mid_message_loses_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const EACH: usize = 200;
    const BACK: usize = 20;
    let mut peer = P::start(Reach::Gated);
    let kamailio = load::insisting(&peer, peer.config()).start();
    let mut sip = kamailio.sip();
    // Each connection ends after so many bytes; messages are of about 1,000.
    let cuts = [50_000, 20_000, 123_456];
    for bytes in cuts {
        peer.gate().open_for(bytes);
        if !P::WAITS {
            peer.joined(&kamailio);
        }
        assert_eq!(sip.message(&EACH.to_string(), &[b'x'; 1000]), "0");
        wait::until("the gate has cut", || peer.gate().has_cut());
    }
    peer.gate().open();
    peer.joined(&kamailio);
    let accepted = cuts.len() * EACH;
    load::arrives(&mut peer, &mut sip, accepted, BACK);
    load::survived(&mut peer, accepted + BACK, "three cuts in mid-message");
    kamailio.stop();
}

pub(crate) fn a_peer_killed_under_load_loses_nothing<P: Peer>() {
    if !present::<P>(&["sipp"]) {
        return;
    }
    let _turn = turn::alone();
    const BACK: usize = 20;
    let mut peer = P::start(Reach::Mortal);
    let kamailio = load::paced(&peer, peer.config()).start();
    peer.joined(&kamailio);
    let load = Sipp::start("message.xml", kamailio.port(), 1000, 6000);
    for accepted in [1500, 3000, 4500] {
        kamailio.wait_counter("accepted", accepted);
        peer.kill();
        peer.start_again();
        peer.joined(&kamailio);
    }
    // Each answered, none refused: no worker was held up so long that sipp gave up.
    load.succeed();
    let accepted = usize::try_from(kamailio.counter("accepted")).unwrap();
    assert!(accepted >= 6000, "{accepted}");
    load::arrives(&mut peer, &mut kamailio.sip(), accepted, BACK);
    load::survived(
        &mut peer,
        accepted + BACK,
        "the peer was killed three times",
    );
    kamailio.stop();
}
