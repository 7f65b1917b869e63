//! Starting: not too early, not half, and again and again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::load;
use super::peer::{Peer, Reach, present};
use crate::kamailio::Config;
use crate::{process, require, turn, wait};

/// A copy of the modules whose engine only leaves a mark where it is started, and finds all settings
/// right.
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
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --check ] || echo >> {}\n",
        mark.display()
    );
    let written = folder.join("engine");
    fs::write(&written, script).unwrap();
    fs::set_permissions(&written, fs::Permissions::from_mode(0o755)).unwrap();
    process::copy_program(&written, &engine);
    copy
}

/// The modules come from a folder: a later `mpath` replaces the usual one.
fn with_modules(config: Config, modules: &Path) -> Config {
    let stock = require::stock_modules();
    config.before(&format!(
        "mpath=\"{}:{}\"",
        modules.display(),
        stock.display()
    ))
}

pub(crate) fn a_configuration_check_starts_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let peer = P::start(Reach::Steady);
    let folder = tempfile::tempdir().unwrap();
    let modules = with_marking_engine(folder.path());
    let mark = folder.path().join("started");
    let (status, log) = with_modules(peer.config(), &modules).check();
    assert!(status.success(), "{status}:\n{log}");
    assert!(!mark.exists(), "the engine was started by a check");
    // The mark is to be trusted: a start does leave it.
    let kamailio = with_modules(peer.config(), &modules)
        .number("drain_timeout_ms", 100)
        .start();
    wait::until("the engine is started", || mark.exists());
    drop(kamailio);
}

pub(crate) fn a_module_that_fails_leaves_nothing_behind<P: Peer>() {
    if !present::<P>(&["app_lua.so"]) {
        return;
    }
    let _turn = turn::light();
    let peer = P::start(Reach::Steady);
    let failing =
        "loadmodule \"app_lua.so\"\nmodparam(\"app_lua\", \"load\", \"/nonexistent.lua\")";
    for before in [true, false] {
        let config = peer.config();
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

pub(crate) fn twenty_restarts_in_a_row_lose_nothing<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const ROUNDS: usize = 20;
    let mut peer = P::start(Reach::Steady);
    for _ in 0..ROUNDS {
        let kamailio = load::insisting(&peer, peer.config()).start();
        if !P::WAITS {
            peer.joined(&kamailio);
        }
        assert_eq!(kamailio.sip().message("1", load::SHORT), "0");
        kamailio.stop();
    }
    load::all_once(&mut peer, ROUNDS);
}
