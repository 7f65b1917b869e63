//! The `sipbus-engine` program. Started by a Kamailio, never by hand: by its main process to check settings,
//! by its supervisor process to run.

use sipbus::engine::{Task, check, run};
use std::io::{Write, stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = Task::from_env().and_then(|task| match task {
        Task::Run(arguments) => run(arguments),
        Task::Check => check(stdin(), stdout()),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code says it too.
            drop(writeln!(std::io::stderr(), "sipbus-engine: {error}"));
            ExitCode::FAILURE
        }
    }
}
