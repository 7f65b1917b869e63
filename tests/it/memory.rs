//! Kamailio under valgrind, where `SIPBUS_VALGRIND` asks for it: each access that is wrong, and each leak that
//! `tests/valgrind.supp` does not name, fails the test.
//!
//! The engine is started natively: it has no unsafe code beside what this side has, too.

use std::path::{Path, PathBuf};

use crate::require;

/// What valgrind writes of each process, in the server's folder.
const REPORTS: &str = "valgrind.";

fn asked_for() -> bool {
    std::env::var_os("SIPBUS_VALGRIND").is_some_and(|value| !value.is_empty())
}

/// The program and its arguments, under valgrind if the tests run so.
pub(crate) fn watched(
    program: PathBuf,
    args: Vec<String>,
    folder: &Path,
) -> (PathBuf, Vec<String>) {
    if !asked_for() {
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
        "--show-leak-kinds=definite,indirect".to_owned(),
        "--errors-for-leak-kinds=definite,indirect".to_owned(),
        "--num-callers=30".to_owned(),
        // For who finds a new leak of the host's.
        "--gen-suppressions=all".to_owned(),
        program.display().to_string(),
    ];
    all.extend(args);
    (valgrind, all)
}

/// How many requests a second: not more than are answered in time, or sipp would send them again.
pub(crate) fn paced(rate: u32) -> u32 {
    if asked_for() { rate.div_ceil(6) } else { rate }
}

/// Requires, when it is dropped, that valgrind had nothing to say of any process that ran in the folder:
/// whatever way they ended. It is dropped after the server, whose processes have ended then.
pub(crate) struct Verdict(PathBuf);

impl Verdict {
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.into())
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !asked_for() || std::thread::panicking() {
            return;
        }
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let reports: Vec<_> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(REPORTS))
            .map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default())
            .collect();
        assert!(!reports.is_empty(), "nothing ran under valgrind");
        let text = reports.concat();
        assert!(text.is_empty(), "valgrind reports:\n{text}");
    }
}
