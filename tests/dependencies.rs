//! The crates that this one is built on: that each has its reason in ARCHITECTURE.md, and is linked once. What they may
//! be stands in deny.toml.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let done = Command::new(cargo)
        .args(arguments)
        .arg("--locked")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "cargo {arguments:?}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

/// All packages that a build for this system takes part of, tests and tools included.
fn packages() -> Vec<Value> {
    let system = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let text = cargo(&[
        "metadata",
        "--format-version=1",
        "--filter-platform",
        &system,
    ]);
    let all: Value = serde_json::from_str(&text).unwrap();
    all["packages"].as_array().unwrap().clone()
}

/// This package.
fn own() -> Value {
    packages()
        .into_iter()
        .find(|package| package["name"] == "sipbus")
        .unwrap()
}

#[test]
fn no_crate_is_linked_in_two_versions() {
    let twice = cargo(&[
        "tree",
        "--duplicates",
        "--edges",
        "normal,no-proc-macro",
        "--depth",
        "0",
    ]);
    assert_eq!(twice.trim().replace("nothing to print", ""), "");
}

/// tokio, TLS and their like are not in a SIP worker's address space.
#[test]
fn the_worker_half_links_nothing_of_the_engine() {
    let own = own();
    let all = own["dependencies"].as_array().unwrap().iter();
    let optional = all.filter(|each| each["optional"] == true);
    let optional: Vec<&str> = optional
        .map(|each| each["name"].as_str().unwrap())
        .collect();
    // What others bring along is another matter, but for the heaviest.
    for (depth, names) in [
        ("1", optional.as_slice()),
        ("99", &["tokio", "rustls", "ring"]),
    ] {
        let tree = cargo(&[
            "tree",
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--depth",
            depth,
        ]);
        let linked: Vec<&str> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!(linked.contains(&"rustix"), "{tree}");
        for name in names {
            assert!(!linked.contains(name), "libsipbus.so links {name}");
        }
    }
}

#[test]
fn each_dependency_has_its_reason_in_the_table() {
    let text = file("ARCHITECTURE.md");
    let (_, chapter) = text.split_once("\n## Dependencies\n").unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let (table, tests) = chapter.split_once("\nFor tests: ").unwrap();
    let named = |line: &str| -> Vec<String> {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted.map(String::from).collect()
    };
    let mut used: Vec<String> = table
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(named)
        .collect();
    used.sort();
    let own = own();
    let of_kind = |kind: Value| -> Vec<String> {
        let all = own["dependencies"].as_array().unwrap().iter();
        let names = all.filter(|each| each["kind"] == kind && each["name"] != "loom");
        let mut names: Vec<_> = names
            .map(|each| each["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        used,
        of_kind(Value::Null),
        "the table of ARCHITECTURE.md, and Cargo.toml"
    );
    let tests = named(tests);
    for name in of_kind("dev".into()) {
        let known = tests.contains(&name) || used.contains(&name);
        assert!(
            known,
            "ARCHITECTURE.md does not say what the tests need {name} for"
        );
    }
}
