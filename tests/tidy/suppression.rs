//! What valgrind is told to leave out is never ours.

use super::{MODULES, files, root};

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
