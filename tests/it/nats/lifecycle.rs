//! Start and stop: nothing starts too early, nothing is left behind, nothing accepted is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::kamailio::{Config, Kamailio};
use crate::require::{self, needs};
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::tally::Tally;
use crate::{process, turn, wait};

/// A copy of the modules whose engine only leaves a mark where it is started.
fn with_marking_engine(folder: &Path) -> PathBuf {
    let copy = folder.join("modules");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(require::modules()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && entry.file_name() != "sipbus-engine" {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    let engine = copy.join("sipbus-engine");
    let mark = folder.join("started");
    fs::write(&engine, format!("#!/bin/sh\necho >> {}\n", mark.display())).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// A configuration whose modules come from `modules`; a later `mpath` replaces the usual one.
fn with_modules(modules: &Path) -> Config {
    let stock = require::stock_modules();
    Config::new()
        .nats("subject_queue_group", "a:b")
        .before(&format!(
            "mpath=\"{}:{}\"",
            modules.display(),
            stock.display()
        ))
}

#[test]
fn a_configuration_check_starts_nothing() {
    needs!("kamailio");
    let _turn = turn::light();
    let folder = tempfile::tempdir().unwrap();
    let modules = with_marking_engine(folder.path());
    let mark = folder.path().join("started");
    let (status, log) = with_modules(&modules).check();
    assert!(status.success(), "{status}:\n{log}");
    assert!(!mark.exists(), "the engine was started by a check");
    // The mark is to be trusted: a start does leave it.
    let kamailio = with_modules(&modules)
        .number("drain_timeout_ms", 100)
        .start();
    wait::until("the engine is started", || mark.exists());
    drop(kamailio);
}

#[test]
fn a_module_that_fails_leaves_nothing_behind() {
    needs!("kamailio", "nats", "app_lua.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let failing =
        "loadmodule \"app_lua.so\"\nmodparam(\"app_lua\", \"load\", \"/nonexistent.lua\")";
    for before in [true, false] {
        let config = Config::at(&nats.url()).nats("subject_queue_group", "a:b");
        let config = if before {
            config.before(failing)
        } else {
            config.after(failing)
        };
        let (status, log) = config.refused();
        // A status and no signal: nothing crashed on the way out.
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{status}:\n{log}"
        );
    }
}

#[test]
fn twenty_restarts_in_a_row_lose_nothing() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "restart");
    for round in 1..=20 {
        let kamailio = Config::at(&nats.url())
            .nats("subject_queue_group", "in:group")
            .routes("event_route[nats:in] { return; }")
            .request(r#"nats_publish("restart", "x"); $var(answer) = "rc=" + $rc;"#)
            .start();
        assert_eq!(kamailio.sip().message("x", b""), "rc=1");
        kamailio.stop();
        wait::until("the message arrived", || subscriber.count() >= round);
    }
    assert_eq!(subscriber.count(), 20);
}

/// Publishes 100,000 messages, stops Kamailio at once, and sees all of them; how many came twice.
fn arrives_after(stop: impl FnOnce(Kamailio)) -> usize {
    let nats = Nats::start();
    let (tally, _counting) = Tally::of(&nats.url(), "last");
    // Room for all of them: the stop is to find as many as possible not yet sent.
    let kamailio = Config::at(&nats.url())
        .number("queue_size", 64 * 1024 * 1024)
        .number("drain_timeout_ms", 30_000)
        .request(
            r#"$var(i) = 0; $var(accepted) = 0;
               while ($var(i) < 100000) {
                   if (nats_publish("last", "$pp:$var(i)")) { $var(accepted) = $var(accepted) + 1; }
                   $var(i) = $var(i) + 1;
               }
               $var(answer) = "" + $var(accepted);"#,
        )
        .start()
        .connected();
    assert_eq!(kamailio.sip().message("x", b""), "100000");
    stop(kamailio);
    wait::until("all arrived", || tally.unique() == 100_000);
    assert_eq!(tally.out_of_order(), 0);
    tally.duplicates()
}

#[test]
fn what_was_accepted_before_the_stop_arrives() {
    needs!("kamailio", "nats");
    let _turn = turn::alone();
    let twice = arrives_after(|kamailio| drop(kamailio.stop()));
    assert_eq!(twice, 0);
}

#[test]
fn an_engine_killed_right_before_the_stop_loses_nothing() {
    needs!("kamailio", "nats");
    let _turn = turn::alone();
    arrives_after(|kamailio| {
        process::send(kamailio.engine().unwrap(), Signal::KILL);
        drop(kamailio.stop());
    });
}

#[test]
fn a_stop_that_reaches_every_process_loses_nothing() {
    needs!("kamailio", "nats");
    let _turn = turn::alone();
    // As systemd does: the engine and the supervisor get the signal before Kamailio tells them.
    let twice = arrives_after(|mut kamailio| {
        for pid in kamailio.server.family().members() {
            process::send(pid, Signal::TERM);
        }
        kamailio.server.wait();
        wait::until("nothing is left", || {
            kamailio.server.family().members().is_empty()
        });
    });
    assert_eq!(twice, 0);
}

#[test]
fn a_stop_with_the_server_away_ends_at_the_drain_deadline() {
    needs!("kamailio");
    let _turn = turn::light();
    let away = format!("nats://127.0.0.1:{}", crate::port::free());
    let kamailio = Config::at(&away)
        .number("drain_timeout_ms", 300)
        .nats("subject_queue_group", "in:group")
        .request(r#"nats_publish("x", "x"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    let log = kamailio.stop();
    assert!(log.contains("1 "), "the stop says how much is lost");
}

#[test]
fn a_stop_with_the_server_stuck_ends_at_the_drain_deadline() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .number("drain_timeout_ms", 300)
        .nats("subject_queue_group", "in:group")
        .request(r#"nats_publish("x", "x"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    nats.freeze();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    kamailio.stop();
}

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

#[test]
fn a_killed_supervisor_takes_the_engine_along() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let mut kamailio = Config::at(&nats.url()).start().connected();
    let engine = kamailio.engine().unwrap();
    let supervisor: u32 = process::status(engine, "PPid:").unwrap().parse().unwrap();
    assert!(kamailio.server.family().members().contains(&supervisor));
    process::send(supervisor, Signal::KILL);
    // Kamailio ends when a child of its dies.
    kamailio.server.wait();
    wait::until("nothing is left", || {
        kamailio.server.family().members().is_empty()
    });
    assert!(!process::alive(engine));
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
