//! The `sipbus-engine` program. Started by the supervisor process of a Kamailio, never by hand.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match sipbus::engine::Arguments::from_env().and_then(sipbus::engine::run) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code says it too.
            drop(writeln!(std::io::stderr(), "sipbus-engine: {error}"));
            ExitCode::FAILURE
        }
    }
}
