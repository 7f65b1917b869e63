//! What the documents name is there.

use super::{files, root};

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
