//! The engine or its supervisor killed while messages flow.

use std::time::Duration;

use rustix::process::Signal;

use super::load;
use super::peer::{Peer, Reach, present};
use crate::{process, sipp, turn, wait};

pub(crate) fn an_engine_killed_under_load_loses_nothing<P: Peer>() {
    if !present::<P>(&["sipp"]) {
        return;
    }
    let _turn = turn::alone();
    const KILLS: u64 = 3;
    const BACK: usize = 20;
    let mut peer = P::start(Reach::Steady);
    let kamailio = load::insisting(&peer, peer.config()).start();
    peer.joined(&kamailio);
    let mut sip = kamailio.sip();
    // Two of the workers publish; the others have SIP to answer.
    for _ in 0..2 {
        sip.send("MESSAGE", &P::BURST.to_string(), load::SHORT);
    }
    sipp::options_during(kamailio.port(), || {
        for round in 1..=KILLS {
            // Long before the end: the loops are to find the engine dead in the midst of their work.
            kamailio.wait_counter("accepted", round * u64::from(P::BURST) / 2);
            kamailio.kill_engine();
            peer.joined(&kamailio);
        }
        let mut ended = 0;
        wait::until("both loops ended", || {
            let answer = sip.receive(Duration::from_millis(5));
            ended += usize::from(answer.is_some_and(|answer| answer.2 == "0"));
            ended == 2
        });
    });
    let accepted = 2 * P::BURST as usize;
    load::arrives(&mut peer, &mut sip, accepted, BACK);
    load::outlived(&mut peer, accepted + BACK, "three engine kills");
    assert!(load::processes(&mut peer) >= 2);
    let status = kamailio.rpc("sipbus.status", &[]);
    assert_eq!(status["engine"]["restarts"], KILLS);
    kamailio.stop();
}

pub(crate) fn a_killed_supervisor_leaves_nothing_behind<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const COUNT: usize = 2000;
    let mut peer = P::start(Reach::Steady);
    // Workers for delivery reports, too, end after that.
    let config = peer.config().number("drain_timeout_ms", 3000);
    let mut kamailio = load::insisting(&peer, config).start();
    peer.joined(&kamailio);
    let answer = kamailio.sip().message(&COUNT.to_string(), load::SHORT);
    assert_eq!(answer, "0");
    let engine = kamailio.engine().expect("the engine runs");
    let supervisor: u32 = process::status(engine, "PPid:").unwrap().parse().unwrap();
    let family = kamailio.server.family().members();
    assert!(family.contains(&supervisor));
    process::send(supervisor, Signal::KILL);
    // Kamailio ends when a child of its dies.
    let status = kamailio.server.wait();
    assert!(status.code().is_some(), "kamailio itself crashed: {status}");
    wait::until("no process is left", || {
        kamailio.server.family().members().is_empty()
    });
    assert!(!process::alive(engine));
    kamailio.left_no_shared_memory(&family);
    let port = kamailio.port();
    std::net::UdpSocket::bind(("127.0.0.1", port)).expect("the SIP port is free again");
    // An engine whose supervisor is gone delivers what was accepted, and ends.
    load::all_once(&mut peer, COUNT);
}
