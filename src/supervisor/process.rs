//! One run of the engine's program.

use super::{LOG_RECORD_BYTES_MAX, Supervised, argument, engine_environment, engine_path};
use crate::host::{Level, log};
use crate::shm::inherit::leave_only;
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A running engine.
#[derive(Debug)]
pub(super) struct Engine {
    child: Child,
    /// Tells it to stop; its other end is closed by the engine's end, however that comes.
    control: UnixStream,
    records: UnixDatagram,
}

impl Engine {
    /// Starts it.
    pub(super) fn start(supervised: &Supervised<'_>) -> io::Result<Self> {
        let (control, its_control) = UnixStream::pair()?;
        let (records, its_records) = UnixDatagram::pair()?;
        records.set_nonblocking(true)?;
        let region = supervised.region.fd();
        let settings = supervised.settings.as_fd();
        let mut kept = vec![region, settings, its_control.as_fd(), its_records.as_fd()];
        let mut command = Command::new(engine_path()?);
        let number = |fd: BorrowedFd<'_>| fd.as_raw_fd().to_string();
        command
            .arg(format!("--{}={}", argument::REGION, number(region)))
            .arg(format!("--{}={}", argument::SETTINGS, number(settings)))
            .arg(format!(
                "--{}={}",
                argument::CONTROL,
                number(its_control.as_fd())
            ))
            .arg(format!(
                "--{}={}",
                argument::LOG,
                number(its_records.as_fd())
            ));
        for (module, doorbell) in &supervised.doorbells {
            command.arg(format!(
                "--{}={module}={}",
                argument::DOORBELL,
                number(*doorbell)
            ));
            kept.push(*doorbell);
        }
        for (module, setting, listener) in &supervised.listeners {
            command.arg(format!(
                "--{}={module}.{setting}={}",
                argument::LISTENER,
                number(*listener)
            ));
            kept.push(*listener);
        }
        leave_only(&kept)?;
        // A process group of its own keeps a terminal's Ctrl-C away from it.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .env_clear()
            .envs(engine_environment())
            .process_group(0);
        let child = command.spawn()?;
        Ok(Self {
            child,
            control,
            records,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to drain and end.
    pub(super) fn stop(&mut self) {
        if let Err(error) = self.control.write_all(b"D") {
            log(
                Level::Debug,
                &format!("the engine cannot be told to stop: {error}"),
            );
        }
    }

    /// What to poll: its end, its log.
    pub(super) fn poll_fds(&self) -> [PollFd<'_>; 2] {
        [
            PollFd::new(&self.control, PollFlags::HUP),
            PollFd::new(&self.records, PollFlags::IN),
        ]
    }

    /// Prints what it logged.
    pub(super) fn relay_log(&self) {
        let mut record = [0; LOG_RECORD_BYTES_MAX];
        while let Ok(len) = self.records.recv(&mut record) {
            let Some((level, text)) = record.get(..len).and_then(<[u8]>::split_first) else {
                continue;
            };
            let level = Level::from_number(i32::from(level.cast_signed()));
            log(level, &String::from_utf8_lossy(text));
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            log(
                Level::Error,
                &format!("the engine cannot be killed: {error}"),
            );
        }
    }

    /// Collects it after its end; says how it ended.
    pub(super) fn reap(mut self) -> io::Result<std::process::ExitStatus> {
        let status = self.child.wait()?;
        self.relay_log();
        Ok(status)
    }
}
