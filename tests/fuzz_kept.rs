//! Inputs that the fuzzer found worth keeping, as ordinary tests: `tests/fuzz/kept/<target>/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use std::collections::HashSet;
use std::path::Path;

#[test]
fn kept_inputs_break_nothing() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/kept");
    for (name, body) in bodies::BODIES {
        let inputs: Vec<_> = std::fs::read_dir(kept.join(name))
            .unwrap_or_else(|error| panic!("{name} has no kept inputs: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!inputs.is_empty(), "{name} has no kept inputs");
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            let outcome = std::panic::catch_unwind(|| body(&bytes));
            assert!(outcome.is_ok(), "{} breaks a promise", input.display());
        }
    }
}

#[test]
fn the_boundary_calls_every_function_of_the_header() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(root.join("include/sipbus.h")).unwrap();
    let folder = std::fs::read_dir(root.join("tests/fuzz/bodies/boundary")).unwrap();
    let bodies: String = folder
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let called: HashSet<&str> = words(&bodies).collect();
    let declarations = header.lines().filter(|line| !line.starts_with("//"));
    let mut functions: Vec<&str> = declarations
        .filter_map(|line| words(line.split_once('(')?.0).last())
        .collect();
    assert!(functions.len() > 50, "{functions:?}");
    functions.retain(|name| !called.contains(name));
    assert!(functions.is_empty(), "nobody calls {functions:?}");
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let other = |char: char| !(char.is_ascii_alphanumeric() || char == '_');
    text.split(other).filter(|word| !word.is_empty())
}
