//! What the tests need from the machine, and what happens where it is missing.

use std::path::{Path, PathBuf};

/// Returns from the test, with a printed reason, where a program it needs is missing.
macro_rules! needs {
    ($($name:literal),+) => {
        if !$crate::require::present(&[$($name),+]) {
            return;
        }
    };
}
pub(crate) use needs;

/// Whether all of `names` are there: `kamailio` (with `nats.so`), `evapi` (`evapi.so`), `nats`,
/// `sipp`, `node`, `python3`, or one of Kamailio's own modules by file name.
///
/// # Panics
///
/// Where one is missing that `SIPBUS_REQUIRE` names, so that a tier cannot vanish silently.
pub(crate) fn present(names: &[&str]) -> bool {
    let required = std::env::var("SIPBUS_REQUIRE").unwrap_or_default();
    for name in names {
        if let Some(reason) = missing(name) {
            // A module of the distribution belongs to what "kamailio" stands for.
            let tier = if name.ends_with(".so") {
                "kamailio"
            } else {
                name
            };
            assert!(
                !required.split(',').any(|each| each.trim() == tier),
                "{reason}"
            );
            eprintln!("skipped: {reason}");
            return false;
        }
    }
    true
}

fn missing(name: &str) -> Option<String> {
    match name {
        "kamailio" => {
            if program("kamailio").is_none() {
                return Some("kamailio is not installed".into());
            }
            let module = modules().join("nats.so");
            (!module.exists()).then(|| format!("{} is not built", module.display()))
        }
        "evapi" => {
            let module = modules().join("evapi.so");
            (!module.exists()).then(|| format!("{} is not built", module.display()))
        }
        "node" | "python3" => program(name)
            .is_none()
            .then(|| format!("{name} is not installed")),
        "nats" => program("nats-server")
            .is_none()
            .then(|| "nats-server is not installed".into()),
        "sipp" => program("sipp")
            .is_none()
            .then(|| "sipp is not installed".into()),
        module => (!stock_modules().join(module).exists())
            .then(|| format!("Kamailio's {module} is not installed")),
    }
}

/// The folder of the modules under test.
pub(crate) fn modules() -> PathBuf {
    let folder = std::env::var_os("SIPBUS_MODULES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/modules"),
        PathBuf::from,
    );
    // Kamailio is started elsewhere: what is relative here would not be found there.
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The folder of Kamailio's own modules, beside which ours are tried.
pub(crate) fn stock_modules() -> PathBuf {
    let arch = format!(
        "/usr/lib/{}-linux-gnu/kamailio/modules",
        std::env::consts::ARCH
    );
    [
        arch.as_str(),
        "/usr/lib64/kamailio/modules",
        "/usr/local/lib64/kamailio/modules",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|folder| folder.join("sl.so").exists())
    .unwrap_or_else(|| PathBuf::from(&arch))
}

/// Where a program lies; servers are often outside a user's own `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"])
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
}
