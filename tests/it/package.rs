//! The Debian package: installed into a folder of its own, used from there, and removed without trace.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kamailio::Config;
use crate::require::{self, needs};
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn};

/// The modules, each with a manual.
const MODULES: [&str; 5] = ["nats", "kazoo", "event_kafka", "kafka", "evapi"];

/// What `make deb` made.
fn package() -> PathBuf {
    let built = require::modules().join("../deb");
    let mut found = std::fs::read_dir(&built)
        .unwrap_or_else(|error| panic!("{}: {error}", built.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "deb"));
    let only = found.next().unwrap();
    assert_eq!(found.next(), None, "two packages");
    only
}

/// Runs dpkg on the system in `root`, which has nothing but what is installed there.
fn dpkg(root: &Path, arguments: &[&str]) {
    let status = Command::new("dpkg")
        .arg(format!("--root={}", root.display()))
        .args([
            "--force-depends",
            "--force-not-root",
            "--force-script-chrootless",
        ])
        .arg(format!("--log={}", root.join("var/lib/dpkg/log").display()))
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success(), "dpkg {arguments:?}: {status}");
}

/// Files and links, but for dpkg's own.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("var/lib/dpkg") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// The modules that are not under test, on peers that are not there.
fn others() -> String {
    let ports = [port::free(), port::free(), port::free()];
    let [amqp, kafka, evapi] = ports.map(|port| format!("127.0.0.1:{port}"));
    let params = [
        ("kazoo", "node_hostname", "host".to_owned()),
        ("kazoo", "amqp_connection", format!("amqp://{amqp}")),
        ("event_kafka", "broker_id", format!("[k1]{kafka}/t")),
        ("kafka", "brokers", kafka),
        ("kafka", "topic", "name=t".to_owned()),
        ("evapi", "bind_addr", evapi),
    ];
    let loaded = MODULES[1..].iter();
    let mut lines: Vec<_> = loaded
        .map(|module| format!("loadmodule \"{module}.so\""))
        .collect();
    lines.extend(
        params.map(|(module, name, value)| {
            format!("modparam(\"{module}\", \"{name}\", \"{value}\")")
        }),
    );
    lines.push("modparam(\"kafka\", \"init_without_kafka\", 1)".to_owned());
    lines.join("\n")
}

/// Each module has its manual, and each example of the sources is there with its program.
fn is_complete(manuals: &Path) {
    for module in MODULES {
        assert!(manuals.join(format!("{module}.md")).exists(), "{module}");
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for example in std::fs::read_dir(sources).unwrap() {
        let name = example.unwrap().file_name();
        let program = manuals.join("examples").join(&name).join("run");
        assert!(program.exists(), "{}", program.display());
    }
    assert!(manuals.join("examples/kamailio-sipbus.conf").exists());
    let readme = std::fs::read_to_string(manuals.join("README.md")).unwrap();
    for link in readme.split("](").skip(1) {
        let link = link.split(')').next().unwrap();
        let there = link.starts_with("http") || manuals.join(link).exists();
        assert!(there, "README.md: {link}");
    }
}

/// An example runs where it was installed, with the modules of its package.
fn example_runs(root: &Path) {
    let example = root.join("usr/share/doc/sipbus/examples/nats");
    let config = std::fs::read_to_string(example.join("kamailio.cfg")).unwrap();
    let named = format!(
        "\"/usr/lib/sipbus/:{}/\"",
        require::stock_modules().display()
    );
    assert!(config.contains(&named), "{named} in {config}");
    let done = Command::new(example.join("run"))
        .env("SIPBUS_MODULES", root.join("usr/lib/sipbus"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// Runs a program of dpkg's: what it printed.
fn told(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// The file name of each library that a program needs from the system.
fn libraries(program: &Path) -> Vec<String> {
    let listed = told("ldd", &[program.to_str().unwrap()]);
    let found = listed
        .lines()
        .filter_map(|line| line.split("=> /").nth(1)?.split_whitespace().next());
    let name = |path: &str| path.rsplit('/').next().map(String::from);
    found.filter_map(name).collect()
}

#[test]
fn declares_what_it_needs_and_owns_no_folder_of_the_distribution() {
    needs!("kamailio", "package");
    let package = package();
    let path = package.to_str().unwrap();
    let declared = told("dpkg-deb", &["--field", path, "Depends"]);
    assert!(declared.contains("kamailio (>= "), "{declared}");
    for library in libraries(&require::modules().join("sipbus-engine")) {
        // The file's owners, as "libssl3:amd64: /usr/lib/..."; of several, one will do.
        let owners = told("dpkg", &["--search", &format!("*/{library}")]);
        let mut owners = owners.lines().filter_map(|line| line.split(':').next());
        assert!(
            owners.any(|owner| declared.contains(owner)),
            "{library} belongs to none of: {declared}"
        );
    }
    for line in told("dpkg-deb", &["--contents", path]).lines() {
        let file = line.rsplit("./").next().unwrap();
        let ours = file.is_empty()
            || ["usr/lib/sipbus/", "usr/share/doc/sipbus/"]
                .iter()
                .any(|folder| file.starts_with(folder) || folder.starts_with(file));
        assert!(ours, "{file}");
    }
}

#[test]
fn is_installed_used_and_removed_without_trace() {
    needs!("kamailio", "nats", "package", "sipp");
    let _turn = turn::light();
    let root = tempfile::tempdir().unwrap();
    let database = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates"] {
        std::fs::create_dir_all(database.join(folder)).unwrap();
    }
    std::fs::write(database.join("status"), "").unwrap();
    let package = package();
    dpkg(root.path(), &["--install", package.to_str().unwrap()]);
    let folder = root.path().join("usr/lib/sipbus");
    is_complete(&root.path().join("usr/share/doc/sipbus"));

    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "packed");
    let stock = require::stock_modules();
    let kamailio = Config::at(&nats.url())
        .before(&format!(
            "mpath=\"{}:{}\"",
            folder.display(),
            stock.display()
        ))
        .after(&others())
        .request(r#"nats_publish("packed", "$rU"); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(text(&subscriber.only()), "alice");
    let engine = kamailio.engine().unwrap();
    let program = std::fs::read_link(format!("/proc/{engine}/exe")).unwrap();
    assert_eq!(
        program,
        folder.canonicalize().unwrap().join("sipbus-engine")
    );
    let status = kamailio.rpc("sipbus.status", &[]);
    let loaded = status["connectors"].as_array().unwrap().iter();
    let loaded: Vec<_> = loaded.map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(loaded, MODULES);
    kamailio.stop();
    // It is the system's Kamailio that it runs with.
    if std::env::var_os("KAMAILIO").is_none_or(|other| other.is_empty()) {
        example_runs(root.path());
    }

    dpkg(root.path(), &["--purge", "sipbus"]);
    assert_eq!(files(root.path()), Vec::<PathBuf>::new());
}
