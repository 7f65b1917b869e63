//! A server started by a test: its log, its whole family of processes, and its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{require, wait};

/// Carried in the environment by a server and all its descendants, so that they are found again
/// even where one left the process group or was handed to init.
const MARK: &str = "SIPBUS_TEST_FAMILY";

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A running server; stopped and reaped when dropped.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    status: Option<ExitStatus>,
    family: Family,
    log: PathBuf,
}

impl Server {
    /// Starts `program` with both outputs in `<folder>/<name>.log`.
    pub(crate) fn spawn(
        name: &'static str,
        program: &Path,
        args: &[String],
        folder: &Path,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        Self::spawn_into(out, name, program, args, folder)
    }

    /// Starts `program` with both outputs in a file: its log is empty, if that is not
    /// `<folder>/<name>.log`.
    pub(crate) fn spawn_into(
        out: fs::File,
        name: &'static str,
        program: &Path,
        args: &[String],
        folder: &Path,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let family = Family::new(name, folder);
        // With setpriv, a test process that is killed takes its servers along.
        let mut command = match require::program("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "TERM", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(args)
            .current_dir(folder)
            .env(MARK, family.value());
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        // Kamailio signals its whole group when it stops, which must not be ours.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Self {
            name,
            child,
            status: None,
            family,
            log,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// The exit status, if the process has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let name = self.name;
        wait::until_some(&format!("{name} ends"), || self.ended())
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        if self.ended().is_none() {
            self.signal(Signal::TERM);
        }
        self.wait()
    }

    /// Waits until all processes below `main` have begun their work, and `main` has no more to start.
    ///
    /// A child of Kamailio that has not run yet loses a signal: it is then still taken for the main
    /// process, which only makes a note. Such a child would end at Kamailio's last resort, a minute
    /// later.
    pub(crate) fn settle(&mut self, main: u32) {
        let name = self.name;
        let mut before = None;
        wait::until(&format!("all processes of {name} run"), || {
            let pids = self.family.members();
            let all_ran = pids
                .iter()
                .all(|pid| pauses(*pid).is_some_and(|count| count > 0));
            let now = (all_ran && asleep(main)).then(|| (pids, pauses(main)));
            let same = now.is_some() && now == before;
            before = now;
            same || self.ended().is_some_and(|status| !status.success())
        });
    }

    pub(crate) fn family(&self) -> &Family {
        &self.family
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("SIPBUS_KEEP_LOGS").is_some() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!(
                "--- log of {} ({} lines)\n{tail}\n---",
                self.name,
                lines.len()
            );
        }
        if self.ended().is_none() {
            self.signal(Signal::CONT);
            self.signal(Signal::TERM);
            // If it does not, it is killed.
            wait::at_most(Duration::from_secs(15), || self.ended().is_some());
        }
        for pid in self.family.members() {
            send(pid, Signal::KILL);
        }
        self.child.wait().ok();
    }
}

/// All processes that descend from one start of one server.
pub(crate) struct Family {
    mark: String,
    folder: PathBuf,
}

impl Family {
    fn new(name: &str, folder: &Path) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{MARK}={name}-{}-{serial}", std::process::id());
        Self {
            mark,
            folder: folder.into(),
        }
    }

    fn value(&self) -> &str {
        &self.mark[MARK.len() + 1..]
    }

    /// The living ones, in no order: those that have the mark in their environment, or work in the
    /// server's folder, as a program with an environment of its own still does. Zombies do not
    /// count: they hold nothing.
    pub(crate) fn members(&self) -> Vec<u32> {
        let works_here = |pid: u32| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&self.folder))
        };
        all_pids()
            .filter(|pid| self.marked(*pid) || works_here(*pid))
            .collect()
    }

    fn marked(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|each| each == self.mark.as_bytes())
    }
}

/// Whether the process exists and is more than a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    status(pid, "State:").is_some_and(|state| !state.starts_with('Z'))
}

/// How often a process went to sleep by itself.
fn pauses(pid: u32) -> Option<u64> {
    status(pid, "voluntary_ctxt_switches:")?.parse().ok()
}

fn asleep(pid: u32) -> bool {
    status(pid, "State:").is_some_and(|state| state.starts_with('S'))
}

/// One line of what the kernel tells of a process.
pub(crate) fn status(pid: u32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines()
        .find_map(|line| Some(line.strip_prefix(name)?.trim().to_string()))
}

/// The command line of a process, its arguments joined by spaces.
pub(crate) fn command_line(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}

/// Sends a signal; a process that is gone already is none of the sender's business. One that is to stop has stopped then:
/// its other threads go on until the one that has the signal is given the processor.
pub(crate) fn send(pid: u32, signal: Signal) {
    let raw = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(raw, signal).ok();
    if signal == Signal::STOP {
        wait::until("it has stopped", || stopped(pid));
    }
}

/// Whether no thread of a process runs, or is to run: it has stopped, or is gone.
fn stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    threads.filter_map(Result::ok).all(|thread| {
        let text = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let state = text.lines().find_map(|line| line.strip_prefix("State:"));
        state.is_none_or(|state| state.trim().starts_with(['T', 't', 'Z', 'X']))
    })
}

/// Copies a program so that it can be run at once. Another process writes it: a child that another test
/// has just forked may still hold what we had open for writing, and such a file cannot be run.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").args([from, to]).status().unwrap();
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}
