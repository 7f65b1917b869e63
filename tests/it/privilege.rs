//! Least privilege: what the engine may touch, who may look into its memory, and as whom all of it runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::conformance::descriptor::{explained, links};
use crate::evapi::client::Client;
use crate::kamailio::{Config, Kamailio};
use crate::process::{copy_program, status};
use crate::require::{self, needs};
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn};

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;

/// What systemd's unit does that needs no systemd: nothing can be written but the service's own folder ($1), nothing
/// of the kernel's can be set, and no program can gain rights.
const HARDENED: &str = r#"
set -e
mount --bind "$1" "$1"
mount --rbind /proc/sys /proc/sys
for place in / /proc/sys; do mount -o remount,bind,ro "$place"; done
cd "$1"; shift
exec setpriv --no-new-privs --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --inh-caps -all -- "$@"
"#;

/// Whether this process may become another user, which only root may.
fn may_change_user() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can start Kamailio as another user");
    }
    root
}

/// A copy of the modules where every user can read them.
fn readable_modules() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("sipbus-modules-")
        .tempdir()
        .unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    for file in ["libsipbus.so", "sipbus-engine", "nats.so", "evapi.so"] {
        copy_program(&require::modules().join(file), &folder.path().join(file));
    }
    folder
}

/// NATS and an event socket in one Kamailio whose folder is `nobody`'s.
struct Stand {
    modules: TempDir,
    nats: Nats,
    subscriber: Subscriber,
    /// Of the event socket.
    port: u16,
}

impl Stand {
    fn new(port: u16) -> Self {
        let nats = Nats::start();
        let subscriber = Subscriber::new(&nats.url(), "privilege");
        Self {
            modules: readable_modules(),
            nats,
            subscriber,
            port,
        }
    }

    fn config(&self) -> Config {
        let (modules, stock) = (self.modules.path(), require::stock_modules());
        let config = Config::at(&self.nats.url())
            .before(&format!(
                "mpath=\"{}:{}\"",
                modules.display(),
                stock.display()
            ))
            .after(&format!(
                "loadmodule \"evapi.so\"\nmodparam(\"evapi\", \"bind_addr\", \"127.0.0.1:{}\")",
                self.port
            ))
            .request(r#"nats_publish("privilege", "$rU"); evapi_relay("$rU"); $var(answer) = "rc=" + $rc;"#);
        chown(config.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
        config
    }

    /// Both modules do what they are for, and the engine has lost every right that it could lose.
    fn serves(&self, kamailio: Kamailio) {
        let kamailio = kamailio.connected();
        let mut client = Client::connect(&kamailio, self.port);
        assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
        assert_eq!(text(&self.subscriber.only()), "alice");
        assert_eq!(client.text(), "alice");
        for pid in kamailio.server.family().members() {
            let users = vec![NOBODY.to_string(); 4].join("\t");
            assert_eq!(status(pid, "Uid:").unwrap(), users);
            assert_eq!(status(pid, "Gid:").unwrap(), users);
            assert_eq!(status(pid, "CapEff:").unwrap(), "0".repeat(16));
        }
        kamailio.stop();
    }
}

#[test]
fn the_engine_of_two_modules_keeps_no_descriptor_that_it_does_not_need() {
    needs!("kamailio", "evapi", "nats");
    let _turn = turn::light();
    let stand = Stand::new(port::free());
    let kamailio = stand.config().start().connected();
    let _client = Client::connect(&kamailio, stand.port);
    let ports = [stand.nats.port(), stand.port];
    explained(kamailio.engine().unwrap(), 2, &ports, 2);
    kamailio.stop();
}

#[test]
fn the_region_and_the_settings_are_readable_by_nobody_else() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    if !may_change_user() {
        return;
    }
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url()).start().connected();
    let mut seen = 0;
    for pid in kamailio.server.family().members() {
        for (path, link) in links(pid) {
            let wanted = match link.as_str() {
                "/memfd:sipbus (deleted)" => 0o600,
                "/memfd:sipbus-settings (deleted)" => 0o400,
                _ => continue,
            };
            seen += 1;
            assert_eq!(
                fs::metadata(&path).unwrap().mode() & 0o777,
                wanted,
                "{link}"
            );
            assert!(!as_nobody("cat", &path), "{link} can be read");
        }
        let maps = format!("/proc/{pid}/mem");
        assert!(!as_nobody("cat", Path::new(&maps)), "{maps} can be read");
    }
    assert!(
        seen >= 3,
        "the engine's, and two of the supervisor's: {seen}"
    );
    kamailio.stop();
}

/// Whether `nobody` can do that.
fn as_nobody(program: &str, path: &Path) -> bool {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--",
    ]);
    let done = command.arg(program).arg(path).output().unwrap();
    done.status.success()
}

#[test]
fn an_ordinary_user_runs_it() {
    needs!("kamailio", "evapi", "nats");
    let _turn = turn::light();
    if !may_change_user() {
        return;
    }
    let stand = Stand::new(port::free());
    let mut config = stand.config();
    config.under = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--",
    ]
    .map(String::from)
    .to_vec();
    stand.serves(config.start());
}

#[test]
fn started_as_root_it_gives_its_privileges_up_when_its_sockets_are_open() {
    needs!("kamailio", "evapi", "nats");
    let _turn = turn::light();
    if !may_change_user() {
        return;
    }
    let privileged = port::first_free(&mut (600..1024));
    let stand = Stand::new(privileged.unwrap());
    let mut config = stand.config();
    config
        .args
        .extend(["-u", "nobody", "-g", "nogroup"].map(String::from));
    stand.serves(config.start());
}

#[test]
fn it_needs_no_more_than_the_hardened_unit_leaves() {
    needs!("kamailio", "evapi", "nats");
    let _turn = turn::light();
    let namespaces = Command::new("unshare").args(["--mount", "true"]).output();
    if !namespaces.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: this user may not make a mount namespace");
        return;
    }
    let stand = Stand::new(port::free());
    let mut config = stand.config();
    let folder = config.folder().display().to_string();
    config.under = ["unshare", "--mount", "sh", "-c", HARDENED, "sh", &folder]
        .map(String::from)
        .to_vec();
    let kamailio = config.start();
    let engine = kamailio.engine().unwrap();
    assert_eq!(status(engine, "NoNewPrivs:").unwrap(), "1");
    stand.serves(kamailio);
}
