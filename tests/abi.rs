//! The two headers and the Rust code say the same. `SIPBUS_UPDATE=1 cargo test --test abi` writes
//! what is generated anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn fresh(path: &Path, generated: &str) {
    if std::env::var_os("SIPBUS_UPDATE").is_some() {
        std::fs::write(path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "{} is stale: run SIPBUS_UPDATE=1 cargo test --test abi",
        path.display()
    );
}

#[test]
fn the_c_header_is_fresh() {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let sources = std::fs::read_dir(root().join("src/abi")).unwrap();
    // mod.rs would bring in the others once more.
    let mut sources: Vec<PathBuf> = sources
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("mod.rs"))
        .collect();
    sources.sort();
    let builder = sources
        .iter()
        .fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
    let mut header = Vec::new();
    builder
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut header);
    fresh(
        &root().join("include/sipbus.h"),
        std::str::from_utf8(&header).unwrap(),
    );
}

#[test]
fn the_host_binding_is_fresh() {
    let bindings = bindgen::Builder::default()
        .header(root().join("include/sipbus_host.h").to_str().unwrap())
        .allowlist_item("(sipbus|SIPBUS)_.*")
        .layout_tests(false)
        .formatter(bindgen::Formatter::Prettyplease)
        .generate()
        .unwrap();
    fresh(&root().join("src/host/raw.rs"), &bindings.to_string());
}
