//! The C ABI from the other side: C programs with a host of their own, compiled as C and as C++ with
//! every warning and with the sanitizers, against the real `libsipbus.so`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// The programs, and what each is run with.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("abi", &["right", "wrong"]),
    ("early", &[""]),
    ("modules", &[""]),
];

use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts library and engine of this build side by side, as they are installed.
fn install(folder: &Path) {
    let engine = Path::new(env!("CARGO_BIN_EXE_sipbus-engine"));
    let library = engine.with_file_name("deps").join("libsipbus.so");
    std::fs::copy(library, folder.join("libsipbus.so")).unwrap();
    std::fs::copy(engine, folder.join("sipbus-engine")).unwrap();
}

fn build(source: &str, compiler: &str, standard: &str, folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(format!("{source}-{compiler}"));
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
        // The library allocates by the program's malloc, so what it leaks or frees wrongly is seen, too.
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
        .args(["-g", "-Wshadow", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join(format!("tests/abi_c/{source}.c")))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(folder)
        .args(["-lsipbus", "-Wl,-rpath,$ORIGIN"])
        .status();
    assert!(built.unwrap().success(), "{source} {compiler} {standard}");
    program
}

#[test]
fn the_abi_serves_c_and_cpp() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    for (compiler, standard) in [("gcc", "-std=c11"), ("g++", "-std=c++17")] {
        for (source, arguments) in PROGRAMS {
            let program = build(source, compiler, standard, folder.path());
            for argument in arguments {
                // cargo's own, which would come before the program's $ORIGIN.
                let ran = Command::new(&program)
                    .arg(argument)
                    .env_remove("LD_LIBRARY_PATH")
                    .env("SIPBUS_TEST_FOLDER", folder.path())
                    .status();
                let ran = ran.unwrap();
                assert!(ran.success(), "{source} {compiler} {argument}: {ran}");
            }
        }
    }
}

/// What `include/sipbus.h` offers, by name.
fn offered(header: &str) -> impl Iterator<Item = &str> {
    header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '*', '}']))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(front, _)| front.rsplit([' ', '*']).next())
}

#[test]
fn every_function_is_called() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let sources: String = PROGRAMS
        .iter()
        .map(|(source, _)| read(&format!("tests/abi_c/{source}.c")))
        .collect();
    let header = read("include/sipbus.h");
    let names: Vec<_> = offered(&header).collect();
    assert!(names.len() > 100, "{names:?}");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !sources.contains(&format!("{name}(")))
        .collect();
    assert!(missing.is_empty(), "never called: {missing:?}");
}
