//! The C ABI from the other side: a C program with a host of its own, compiled as C and as C++ with
//! every warning, against the real `libsipbus.so`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts library and engine of this build side by side, as they are installed.
fn install(folder: &Path) {
    let engine = Path::new(env!("CARGO_BIN_EXE_sipbus-engine"));
    let library = engine.with_file_name("deps").join("libsipbus.so");
    std::fs::copy(library, folder.join("libsipbus.so")).unwrap();
    std::fs::copy(engine, folder.join("sipbus-engine")).unwrap();
}

fn build(compiler: &str, standard: &str, folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(compiler);
    let language = if compiler == "g++" { "c++" } else { "c" };
    let built = Command::new(compiler)
        .args([
            "-x",
            language,
            standard,
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Wconversion",
        ])
        .args(["-Wshadow", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join("tests/abi_c/abi.c"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(folder)
        .args(["-lsipbus", "-Wl,-rpath,$ORIGIN"])
        .status();
    assert!(built.unwrap().success(), "{compiler} {standard}");
    program
}

#[test]
fn the_abi_serves_c_and_cpp() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    for (compiler, standard) in [("gcc", "-std=c11"), ("g++", "-std=c++17")] {
        let program = build(compiler, standard, folder.path());
        for argument in ["right", "wrong"] {
            // cargo's own, which would come before the program's $ORIGIN.
            let ran = Command::new(&program)
                .arg(argument)
                .env_remove("LD_LIBRARY_PATH")
                .status();
            let ran = ran.unwrap();
            assert!(ran.success(), "{compiler} {argument}: {ran}");
        }
    }
}
