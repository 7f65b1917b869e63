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
