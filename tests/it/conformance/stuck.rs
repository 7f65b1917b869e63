//! A peer or an engine that is stuck costs each SIP worker one short wait; a full lane then refuses
//! at once, and a stop does not wait for it.

use std::time::Duration;

use rustix::process::Signal;

use super::load;
use super::peer::{Frozen, Peer, Reach, present};
use crate::kamailio::{Config, Kamailio};
use crate::{process, turn, wait};

/// So long that a wait cannot be mistaken for a slow machine.
const WAIT: Duration = Duration::from_secs(2);

/// SIP workers: each costs the test one wait.
const WORKERS: u32 = 2;

/// Messages that one request publishes, of 1 KiB each.
const EACH: usize = 100;
const REQUESTS: usize = 40;
const BODY: &[u8] = &[b'x'; 1024];

/// Lanes that one request fills.
fn config<P: Peer>(peer: &P) -> Config {
    let config = peer
        .config()
        .before(&format!("children={WORKERS}"))
        .number("queue_size", 64 * 1024)
        .number("message_size_max", 8192);
    load::trying(peer, config)
}

/// How many of its messages a request had refused.
fn refused(answer: &str) -> usize {
    answer.parse().unwrap_or_else(|_| panic!("{answer}"))
}

/// Publishes before, while and after `hold` holds something up, for as long as what it returns lives.
/// `full`: whether that lets the lanes fill up.
fn costs_one_wait<P: Peer>(full: bool, hold: impl Fn(&P, &Kamailio, &mut dyn FnMut())) {
    let mut peer = P::start(Reach::Steady);
    let kamailio = config(&peer).number("queue_full_wait_ms", 2000).start();
    peer.joined(&kamailio);
    let mut sip = kamailio.sip();
    let tries = EACH.to_string();
    let answer = sip.message(&tries, BODY);
    assert_eq!(answer, "0", "with all at work, nothing is refused");
    // The waits are counted by the time they take: whole multiples of one wait.
    let (mut waits, mut left_out) = (0, 0);
    hold(&peer, &kamailio, &mut || {
        for _ in 0..REQUESTS {
            let answer = sip.ask("MESSAGE", &tries, BODY);
            waits += answer.took.as_millis() / WAIT.as_millis();
            left_out += refused(&answer.reason);
        }
    });
    assert_eq!(left_out > 0, full, "{left_out} refused");
    assert!(
        waits <= u128::from(WORKERS),
        "{waits} waits of {WORKERS} workers"
    );
    eprintln!("stuck: {waits} waits in all, {left_out} refused");
    assert_eq!(kamailio.counter("refused_full"), left_out as u64);
    load::all_once(&mut peer, EACH * (REQUESTS + 1) - left_out);
    // Some peers have a message before its frame has left the lane.
    wait::until("nothing is refused any more", || {
        sip.message(&tries, BODY) == "0"
    });
    kamailio.stop();
}

pub(crate) fn a_stuck_peer_costs_each_worker_one_wait<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    costs_one_wait::<P>(P::WAITS, |peer, _, publish| {
        let _frozen = Frozen::new(peer);
        publish();
    });
}

pub(crate) fn a_stuck_engine_costs_each_worker_one_wait<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    costs_one_wait::<P>(true, |_, kamailio, publish| {
        let engine = kamailio.engine().expect("the engine runs");
        process::send(engine, Signal::STOP);
        publish();
        process::send(engine, Signal::CONT);
    });
}

pub(crate) fn a_stop_with_full_lanes_ends_at_the_drain_deadline<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::alone();
    let mut peer = P::start(Reach::Steady);
    let kamailio = config(&peer)
        .number("queue_full_wait_ms", 10)
        .number("drain_timeout_ms", 300)
        .start();
    peer.joined(&kamailio);
    let _frozen = Frozen::new(&peer);
    let mut sip = kamailio.sip();
    let mut left_out = 0;
    for _ in 0..REQUESTS {
        left_out += refused(&sip.message(&EACH.to_string(), BODY));
    }
    assert_eq!(left_out > 0, P::WAITS, "{left_out} refused");
    kamailio.stop();
}
