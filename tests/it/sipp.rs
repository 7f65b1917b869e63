//! Load by sipp: the scenarios are in `sip/`, the results are its exit status.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::process::Server;
use crate::{memory, require};

/// A running sipp.
pub(crate) struct Sipp {
    server: Server,
    // Holds the log and sipp's own files.
    _folder: TempDir,
}

impl Sipp {
    /// Starts `calls` runs of a scenario, `rate` a second.
    pub(crate) fn start(scenario: &str, port: u16, rate: u32, calls: u32) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it/sip")
            .join(scenario);
        let folder = tempfile::Builder::new()
            .prefix("sipbus-sipp-")
            .tempdir()
            .unwrap();
        let target = format!("127.0.0.1:{port}");
        let (rate, calls) = (memory::paced(rate).to_string(), calls.to_string());
        let args = [
            "-sf",
            &file.display().to_string(),
            "-i",
            "127.0.0.1",
            "-r",
            &rate,
            "-m",
            &calls,
            // One answer missing fails the call, and with it the exit status.
            "-recv_timeout",
            "20000",
            "-nostdin",
            "-trace_err",
            &target,
        ]
        .map(String::from);
        let program = require::program("sipp").unwrap();
        let server = Server::spawn("sipp", &program, &args, folder.path());
        Self {
            server,
            _folder: folder,
        }
    }

    /// Waits for the end: every call must have got the answer the scenario expects.
    pub(crate) fn succeed(mut self) {
        let status = self.server.wait();
        assert!(status.success(), "sipp: {status}\n{}", self.server.log());
    }
}

/// Asks OPTIONS again and again, 200 a second, while `work` goes on: each must be answered.
pub(crate) fn options_during(port: u16, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                Sipp::start("options.xml", port, 200, 100).succeed();
            }
        });
        // Also where the work fails, or the scope would never end.
        let _done = Finally(&done);
        work();
    });
}

/// Sets a flag when it goes out of scope.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
