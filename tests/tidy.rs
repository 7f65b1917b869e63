//! The tree keeps its own rules: where things are and what may be named where; in `tidy/` that manuals
//! and documents say what the code says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "tidy/document.rs"]
mod document;
#[path = "tidy/manual.rs"]
mod manual;
#[path = "tidy/suppression.rs"]
mod suppression;

use sipbus::config::Setting;
use std::path::{Path, PathBuf};

/// A module: its name, the folder of its connector, and its own settings.
struct Module {
    name: &'static str,
    connector: &'static str,
    settings: &'static [Setting],
}

const MODULES: &[Module] = &[
    Module {
        name: "nats",
        connector: "nats",
        settings: sipbus::nats::settings::SETTINGS,
    },
    Module {
        name: "evapi",
        connector: "evapi",
        settings: sipbus::evapi::settings::SETTINGS,
    },
    Module {
        name: "event_kafka",
        connector: "kafka",
        settings: sipbus::kafka::settings::EVENT_KAFKA,
    },
    Module {
        name: "kafka",
        connector: "kafka",
        settings: sipbus::kafka::settings::KAFKA,
    },
    Module {
        name: "kazoo",
        connector: "amqp",
        settings: sipbus::kazoo::settings::SETTINGS,
    },
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    found.sort();
    let name = |path: &Path| {
        path.strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let read = |path: PathBuf| (name(&path), std::fs::read_to_string(&path).unwrap());
    found.into_iter().map(read).collect()
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap()
}

#[test]
fn unsafe_stays_in_its_folders() {
    for (name, text) in files("src", ".rs") {
        let fenced = ["src/abi/", "src/host/", "src/shm/"]
            .iter()
            .any(|f| name.starts_with(f));
        for (number, line) in text.lines().enumerate() {
            let word = code(line).split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(
                fenced || !word.clone().any(|word| word == "unsafe"),
                "{name}:{}: unsafe outside its folders",
                number + 1
            );
        }
    }
}

#[test]
fn atomics_come_from_one_place() {
    for (name, text) in files("src", ".rs") {
        let named = text.lines().any(|line| code(line).contains("sync::atomic"));
        assert!(
            !named || name == "src/primitive.rs",
            "{name}: use crate::primitive"
        );
    }
}

#[test]
fn connectors_see_the_link_and_nothing_behind_it() {
    for (name, text) in files("src/connector", ".rs") {
        for line in text.lines().map(code) {
            for behind in ["crate::shm", "crate::host", "crate::abi", "crate::engine"] {
                assert!(!line.contains(behind), "{name} names {behind}");
            }
            for other in MODULES
                .iter()
                .filter(|m| !name.contains(&format!("/{}/", m.connector)))
            {
                let other = format!("connector::{}", other.connector);
                assert!(!line.contains(&other), "{name} names another connector");
            }
        }
    }
}

#[test]
fn network_crates_are_named_in_connectors_only() {
    for (name, text) in files("src", ".rs") {
        let inside = name.starts_with("src/connector/");
        for network in [
            "tokio_rustls",
            "rustls",
            "nkeys",
            "rdkafka::",
            "tokio::net::Tcp",
        ] {
            let named = text.lines().any(|line| code(line).contains(network));
            assert!(inside || !named, "{name} names {network}");
        }
    }
}

#[test]
fn every_connector_has_all_its_parts() {
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let folders = std::fs::read_dir(root().join("src/connector")).unwrap();
    let folders = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let mut folders: Vec<_> = folders
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    folders.sort();
    let mut known: Vec<_> = MODULES.iter().map(|module| module.connector).collect();
    known.sort_unstable();
    known.dedup();
    assert_eq!(folders, known, "tests/tidy.rs lists every connector");
    for module in MODULES {
        let name = module.name;
        for part in [
            format!("src/connector/{}/mod.rs", module.connector),
            format!("kamailio-glue/{name}/{name}_mod.c"),
            format!("kamailio-glue/{name}/README.md"),
            format!("tests/it/{name}/mod.rs"),
        ] {
            assert!(root().join(&part).exists(), "{part} is missing");
        }
        // One for all modules of a connector, or one for each.
        let names = [name, module.connector];
        let framed = |name| {
            let places = [
                format!("src/frame/{name}.rs"),
                format!("src/frame/{name}/mod.rs"),
            ];
            places.iter().any(|place| root().join(place).exists())
        };
        assert!(names.into_iter().any(framed), "{name} has no frames");
        let feature = |name| cargo.contains(&format!("\n{name} = ["));
        assert!(names.into_iter().any(feature), "{name} has no feature");
    }
}

#[test]
fn every_connector_has_the_conformance_suite() {
    for module in MODULES {
        // One module of a connector stands for the others.
        let of_one = MODULES.iter().filter(|m| m.connector == module.connector);
        let mut tests = of_one.map(|m| root().join(format!("tests/it/{}/mod.rs", m.name)));
        let named = |file: PathBuf| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines().any(|line| line.contains("conformance!("))
        };
        assert!(
            tests.any(named),
            "{}: no conformance suite",
            module.connector
        );
    }
}

#[test]
fn versions_of_kamailio_are_told_apart_in_one_place() {
    let glue = files("kamailio-glue", ".c").into_iter();
    for (name, text) in glue.chain(files("kamailio-glue", ".h")) {
        let asks = ["VERSIONVAL", "VERSIONNUM", "_Generic("]
            .iter()
            .any(|word| text.contains(word));
        assert!(
            !asks || name == "kamailio-glue/common/version.h",
            "{name}: what versions differ in belongs into kamailio-glue/common/version.h"
        );
    }
}

#[test]
fn files_stay_small() {
    let rust = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|folder| files(folder, ".rs"));
    for (name, text) in rust.chain(files("kamailio-glue", ".c")) {
        let lines = text.lines().count();
        assert!(
            lines <= 500,
            "{name} has {lines} lines: is it one room with one purpose?"
        );
    }
}
