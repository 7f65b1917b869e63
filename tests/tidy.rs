//! The tree keeps its own rules: where things are, what may be named where, and that the manuals
//! say what the code says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sipbus::config::{COMMON, Kind, Setting};
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

fn settings(module: &Module) -> impl Iterator<Item = &'static Setting> {
    module.settings.iter().chain(COMMON)
}

/// `### 4.1. nats_url (str)`, then the unit and the default in the text.
#[test]
fn manuals_describe_exactly_the_settings() {
    for module in MODULES {
        let path = format!("kamailio-glue/{}/README.md", module.name);
        let manual = std::fs::read_to_string(root().join(&path)).unwrap();
        let chapter = |part: &&str| part.lines().next().unwrap().ends_with("Parameters");
        let parameters = manual.split("\n## ").find(chapter).unwrap();
        let described: Vec<(&str, &str)> = parameters
            .split("\n### ")
            .skip(1)
            .map(|section| section.split_once('\n').unwrap())
            .collect();
        for setting in settings(module) {
            let kind = if matches!(setting.kind, Kind::Number { .. }) {
                "int"
            } else {
                "str"
            };
            let title = format!("{} ({kind})", setting.name);
            let section = described
                .iter()
                .find(|(heading, _)| heading.ends_with(&title));
            let (_, text) = section.unwrap_or_else(|| panic!("{path} lacks {title}"));
            let default = format!("Default: `{}`", setting.default);
            assert!(
                setting.default.is_empty() || text.contains(&default),
                "{path}: {title} lacks \"{default}\""
            );
            assert!(
                text.contains(setting.unit),
                "{path}: {title} lacks {}",
                setting.unit
            );
        }
        assert_eq!(
            described.len(),
            settings(module).count(),
            "{path} has more than there is"
        );
    }
}

#[test]
fn shims_take_exactly_the_settings() {
    for module in MODULES {
        let name = module.name;
        let path = format!("kamailio-glue/{name}/{name}_mod.c");
        let shim = std::fs::read_to_string(root().join(&path)).unwrap();
        for setting in settings(module) {
            let number = matches!(setting.kind, Kind::Number { .. });
            let row = if setting.name == "event_callback" {
                format!("\"{}\"", setting.name)
            } else if number {
                format!("NUMBER({name}, {})", setting.name)
            } else {
                format!("TEXT({name}, {})", setting.name)
            };
            assert!(shim.contains(&row), "{path} lacks {row}");
        }
        let rows = shim.lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with(&format!("TEXT({name},"))
                || line.starts_with(&format!("NUMBER({name},"))
        });
        let callback = usize::from(shim.contains("\"event_callback\""));
        assert_eq!(
            rows.count() + callback,
            settings(module).count(),
            "{path} has more"
        );
    }
}

/// Whether a function is defined in the shims, or offered by the library.
fn is_own_function(name: &str) -> bool {
    let called = format!("{name}(");
    let defines = |line: &str| {
        let begins = line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let before = line.split_once(&called).map(|(before, _)| before);
        begins && before.is_some_and(|text| text.ends_with([' ', '*']) || text.is_empty())
    };
    let sources = [
        ("kamailio-glue", ".c"),
        ("kamailio-glue", ".h"),
        ("include", ".h"),
    ];
    let mut texts = sources
        .into_iter()
        .flat_map(|(folder, ending)| files(folder, ending));
    name.starts_with("sipbus") || texts.any(|(_, text)| text.lines().any(defines))
}

/// Whether a frame of a suppression could be in a library or a shim of ours.
fn may_be_own(frame: &str) -> bool {
    let (kind, name) = frame.split_once(':').unwrap();
    if kind == "fun" {
        return name.contains(['*', '?']) || is_own_function(name);
    }
    // A library may lie anywhere, but has its name.
    let file = name.rsplit('/').next().unwrap();
    let modules = MODULES.iter().map(|module| module.name);
    let mut own = modules.chain(["libsipbus"]);
    file.contains(['*', '?']) || own.any(|own| file == format!("{own}.so"))
}

/// Where an error is made is named, in full, and is not ours: then no entry can hide one of ours.
#[test]
fn suppressions_are_of_others() {
    const ALLOCATORS: &[&str] = &["malloc", "calloc", "realloc", "memalign", "strdup"];
    // They call nobody back, so what they call need not be named.
    const LEAVES: &[&str] = &["fun:regcomp"];
    let text = std::fs::read_to_string(root().join("tests/valgrind.supp")).unwrap();
    let mut parts = text.split("\n{\n");
    let mut before = parts.next().unwrap();
    for part in parts {
        let (entry, after) = part.split_once("\n}\n").unwrap();
        let mut lines = entry.lines().map(str::trim);
        let name = lines.next().unwrap();
        let last = before.lines().last().unwrap();
        assert!(last.starts_with('#'), "{name}: what is it?");
        before = after;
        // The first of the others is the kind of error.
        let is_frame = |line: &&str| !line.starts_with("match-leak-kinds");
        let frames: Vec<_> = lines.skip(1).filter(is_frame).collect();
        let allocates = |frame: &str| {
            let function = frame.strip_prefix("fun:");
            function.is_some_and(|function| ALLOCATORS.contains(&function))
        };
        let mut makers = frames.iter().skip_while(|frame| allocates(frame));
        let made_by = match makers.next() {
            Some(&"...") => makers.next().filter(|frame| LEAVES.contains(frame)),
            named => named,
        };
        assert!(made_by.is_some(), "{name}: whose?");
        for frame in frames.iter().filter(|frame| **frame != "...") {
            assert!(!may_be_own(frame), "{name}: {frame} may be ours");
        }
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

/// What the braces in `a/{b,c}.rs` stand for.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, (inside, after))) = path
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![path.to_owned()];
    };
    let each = |part: &str| format!("{before}{part}{after}");
    inside.split(',').map(each).collect()
}

/// The words between backquotes, fenced blocks left out.
fn quoted(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn documents_name_what_there_is() {
    const FOLDERS: &[&str] = &[
        "src/",
        "tests/",
        "benches/",
        "examples/",
        "include/",
        "kamailio-glue/",
    ];
    let code: String = ["src", "tests"]
        .into_iter()
        .flat_map(|folder| files(folder, ".rs"))
        .map(|(_, text)| text)
        .collect();
    for document in ["ARCHITECTURE.md", "SAFETY.md", "README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for word in quoted(&text) {
            let is_path = FOLDERS.iter().any(|folder| word.starts_with(folder));
            if is_path && !word.contains([' ', '*']) {
                for path in expanded(word) {
                    assert!(
                        root().join(&path).exists(),
                        "{document}: {path} is not there"
                    );
                }
            }
            // A test is named by a sentence.
            let is_name = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if is_name && word.matches('_').count() >= 3 {
                let there = code.contains(&format!("fn {word}("));
                assert!(there, "{document}: there is no {word}");
            }
        }
    }
}
