//! Kamailio under valgrind, where `SIPBUS_VALGRIND` asks for it: each access that is wrong, and each leak that
//! `tests/valgrind.supp` does not name, fails the test.
//!
//! The engine is started natively: it has no unsafe code beside what this side has, too.

use std::path::{Path, PathBuf};

use crate::require;

/// What valgrind writes of each process, in the server's folder.
const REPORTS: &str = "valgrind.";

/// The program and its arguments, under valgrind if the tests run so.
pub(crate) fn watched(
    program: PathBuf,
    args: Vec<String>,
    folder: &Path,
) -> (PathBuf, Vec<String>) {
    if std::env::var_os("SIPBUS_VALGRIND").is_none_or(|value| value.is_empty()) {
        return (program, args);
    }
    let valgrind = require::program("valgrind").expect("valgrind is not installed");
    let named = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/valgrind.supp");
    let mut all = vec![
        // Only errors are written: a report that is not empty is one.
        "--quiet".to_owned(),
        format!("--log-file={}/{REPORTS}%p", folder.display()),
        format!("--suppressions={}", named.display()),
        "--leak-check=full".to_owned(),
        "--show-leak-kinds=definite".to_owned(),
        "--errors-for-leak-kinds=definite".to_owned(),
        "--num-callers=30".to_owned(),
        // For who finds a new leak of the host's.
        "--gen-suppressions=all".to_owned(),
        program.display().to_string(),
    ];
    all.extend(args);
    (valgrind, all)
}

/// Requires that valgrind had nothing to say of any process that ran in the folder.
pub(crate) fn verify(folder: &Path) {
    let reports = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for report in reports {
        if report.file_name().to_string_lossy().starts_with(REPORTS) {
            let text = std::fs::read_to_string(report.path()).unwrap_or_default();
            assert!(text.is_empty(), "valgrind reports:\n{text}");
        }
    }
}
