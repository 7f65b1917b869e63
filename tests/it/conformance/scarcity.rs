//! What the machine runs out of: descriptors, and room for logs.

use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::load;
use super::peer::{Peer, Reach, present};
use crate::{turn, wait};

/// How many descriptors a process may have from now on; what it had before.
fn limit_descriptors(pid: u32, limit: Rlimit) -> Rlimit {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Nofile, limit).unwrap()
}

pub(crate) fn an_engine_out_of_descriptors_goes_on_when_there_are_some<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const COUNT: usize = 20;
    let (mut peer, kamailio, mut sip) = load::under_way::<P>(COUNT);
    let engine = kamailio.engine().expect("the engine runs");
    let none = Rlimit {
        current: Some(0),
        ..getrlimit(Resource::Nofile)
    };
    let before = limit_descriptors(engine, none);
    peer.gate().shut();
    if P::WAITS {
        wait::until("the loss is told", || {
            kamailio.connector()["state"] != "connected"
        });
    }
    peer.gate().open();
    wait::until("the shortage is told", || {
        let told = kamailio.log() + &kamailio.connector()["last_error"].to_string();
        told.contains("Too many open files")
    });
    assert_eq!(sip.message(&COUNT.to_string(), load::SHORT), "0");
    let accepted = 2 * COUNT;
    limit_descriptors(engine, before);
    peer.joined(&kamailio);
    load::arrives(&mut peer, &mut sip, accepted, COUNT);
    load::survived(&mut peer, accepted + COUNT, "no descriptors");
    assert_eq!(kamailio.engine(), Some(engine), "the engine lives");
    kamailio.stop();
}

pub(crate) fn a_start_without_descriptors_works_or_is_refused<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let peer = P::start(Reach::Steady);
    // From what is not enough for Kamailio itself to what is not enough for the engine.
    for limit in [6, 8, 10, 12] {
        let config = peer.config().number("drain_timeout_ms", 100);
        let log = match config.descriptors(limit).outcome() {
            Ok((status, log)) => {
                assert!(status.code().is_some(), "{limit}: {status}\n{log}");
                eprintln!("{limit} descriptors: refused");
                log
            }
            Err(log) => {
                eprintln!("{limit} descriptors: started");
                log
            }
        };
        for crash in ["by a signal", "(signal", "panicked"] {
            assert!(!log.contains(crash), "{limit}:\n{log}");
        }
    }
}

pub(crate) fn a_full_disk_for_the_log_stops_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const COUNT: usize = 20;
    let mut peer = P::start(Reach::Steady);
    let config = peer.config().log_to(Path::new("/dev/full"));
    let kamailio = load::insisting(&peer, config.before("debug=3")).start();
    peer.joined(&kamailio);
    let mut sip = kamailio.sip();
    load::arrives(&mut peer, &mut sip, 0, COUNT);
    // The next engine, and the supervisor, have something to tell.
    kamailio.kill_engine();
    peer.joined(&kamailio);
    load::arrives(&mut peer, &mut sip, COUNT, COUNT);
    kamailio.stop();
}
