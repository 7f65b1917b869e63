//! Start and stop: as a daemon, and without what is Kamailio's own.

use std::fs;

use rustix::process::Signal;

use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::{process, turn, wait};

#[test]
fn a_daemonized_kamailio_stops_the_same_way() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "daemon");
    let (kamailio, pid): (Kamailio, u32) = Config::at(&nats.url())
        .request(r#"nats_publish("daemon", "x"); $var(answer) = "rc=" + $rc;"#)
        .start_daemonized();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    process::send(pid, Signal::TERM);
    wait::until("the daemon and all its processes are gone", || {
        kamailio.server.family().members().is_empty()
    });
    subscriber.only();
}

/// The inodes of the sockets that a process has open.
fn sockets(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .map(|target| target.display().to_string())
        .filter(|it| it.starts_with("socket:"))
        .collect()
}

#[test]
fn the_engine_holds_no_socket_of_kamailio() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url()).start().connected();
    let engine = kamailio.engine().unwrap();
    // An engine that outlived its Kamailio would otherwise keep the SIP port from the next one.
    let theirs = sockets(kamailio.server.pid());
    assert!(!theirs.is_empty());
    let shared: Vec<String> = sockets(engine)
        .into_iter()
        .filter(|it| theirs.contains(it))
        .collect();
    assert!(shared.is_empty(), "{shared:?}");
    kamailio.stop();
}
