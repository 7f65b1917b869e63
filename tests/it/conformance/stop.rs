//! A stop delivers what was accepted, up to its deadline.

use rustix::process::Signal;

use super::load;
use super::peer::{Peer, Reach, present};
use crate::kamailio::Kamailio;
use crate::{process, turn, wait};

/// Publishes a burst, and stops Kamailio at once.
fn burst_before<P: Peer>(stop: impl FnOnce(Kamailio)) -> P {
    let mut peer = P::start(Reach::Steady);
    // Room for all of it: the stop is to find as much as possible not yet sent.
    let config = peer
        .config()
        .number("queue_size", 64 * 1024 * 1024)
        .number("drain_timeout_ms", 30_000);
    let kamailio = load::insisting(&peer, config).start();
    peer.joined(&kamailio);
    let answer = kamailio.sip().message(&P::BURST.to_string(), load::SHORT);
    assert_eq!(answer, "0");
    stop(kamailio);
    peer
}

pub(crate) fn what_was_accepted_before_the_stop_arrives<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    let mut peer: P = burst_before(|kamailio| drop(kamailio.stop()));
    load::all_once(&mut peer, P::BURST as usize);
}

pub(crate) fn a_stop_that_reaches_every_process_loses_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    // As systemd does: the engine and the supervisor get the signal before Kamailio tells them.
    let mut peer: P = burst_before(|mut kamailio| {
        for pid in kamailio.server.family().members() {
            process::send(pid, Signal::TERM);
        }
        kamailio.server.wait();
        wait::until("nothing is left", || {
            kamailio.server.family().members().is_empty()
        });
    });
    load::all_once(&mut peer, P::BURST as usize);
}

pub(crate) fn an_engine_killed_right_before_the_stop_loses_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    let mut peer: P = burst_before(|kamailio| {
        process::send(kamailio.engine().expect("the engine runs"), Signal::KILL);
        drop(kamailio.stop());
    });
    load::outlived(&mut peer, P::BURST as usize, "killed before the stop");
}

pub(crate) fn a_stop_with_the_peer_away_ends_at_the_drain_deadline<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let peer = P::start(Reach::Gated);
    let config = peer.config().number("drain_timeout_ms", 300);
    let kamailio = load::insisting(&peer, config).start();
    assert_eq!(kamailio.sip().message("5", load::SHORT), "0");
    let log = kamailio.stop();
    if P::WAITS {
        assert!(log.contains("5 "), "the stop says how much is lost:\n{log}");
    }
}
