//! What the crates that this one is built on may be: their licences, where they come from, which of them are banned,
//! and that each has its reason in ARCHITECTURE.md. deny.toml has the lists, for cargo-deny too; this test needs no
//! more than cargo.

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

/// The first texts between quotes of the lines of this list in deny.toml, but for what some crate may have.
fn list(name: &str) -> Vec<String> {
    let text = file("deny.toml");
    let (_, rest) = text.split_once(&format!("\n{name} = [")).expect(name);
    let (inside, _) = rest.split_once("\n]").expect("the end of the list");
    let lines = inside.lines().filter(|line| !line.contains("wrappers"));
    let entries = lines.filter_map(|line| line.split('"').nth(1));
    entries.map(String::from).collect()
}

/// Whether an SPDX expression leaves a licence to choose that is allowed. Such expressions have `OR` as the weaker word;
/// older ones have a slash for it.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    if let Some((begin, rest)) = expression.split_once('(') {
        let (inside, end) = rest.split_once(')').unwrap();
        // What is in parentheses stands for one word, an allowed one or none.
        let word = if permits(inside, allowed) {
            &allowed[0]
        } else {
            "none"
        };
        return permits(&format!("{begin}{word}{end}"), allowed);
    }
    expression.split(" OR ").any(|choice| {
        let mut all = choice.split(" AND ");
        all.all(|licence| allowed.iter().any(|each| each == licence.trim()))
    })
}

#[test]
fn licences_are_those_that_go_with_ours() {
    let allowed = list("allow");
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none");
        let name = &package["name"];
        assert!(
            permits(licence, &allowed),
            "{name} has the licence {licence}"
        );
    }
}

#[test]
fn expressions_of_licences_are_read_as_spdx_has_them() {
    let allowed = ["MIT", "ISC", "Unicode-3.0"].map(String::from);
    for good in [
        "MIT",
        "Apache-2.0/MIT",
        "Apache-2.0 OR ISC",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "ISC AND MIT",
    ] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in [
        "none",
        "Apache-2.0",
        "Apache-2.0 AND ISC",
        "(Apache-2.0 OR BSL-1.0) AND MIT",
    ] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn crates_come_from_the_registry_and_none_is_banned() {
    let banned = list("deny");
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let source = package["source"].as_str();
        let from_registry = source.is_none_or(|source| source.starts_with("registry+"));
        assert!(from_registry, "{name}: {source:?}");
        assert!(
            source.is_some() || name == "sipbus",
            "{name} lies in some folder"
        );
        assert!(!banned.iter().any(|each| each == name), "{name} is banned");
    }
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
    let own = packages()
        .into_iter()
        .find(|package| package["name"] == "sipbus")
        .unwrap();
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
