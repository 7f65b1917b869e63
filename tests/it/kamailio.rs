//! A kamailio with the modules under test: its start, its RPC, its stop.

use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::config::{Config, WORKERS};
use crate::process::{self, Server};
use crate::rpc::Rpc;
use crate::sip::Sip;
use crate::{memory, port, require, wait};

impl Config {
    fn spawn(self, more: &[&str]) -> Kamailio {
        let port = port::free();
        let folder = self.folder.path();
        std::fs::write(folder.join("kamailio.cfg"), self.text(port)).unwrap();
        let mut args: Vec<String> = ["-f", "kamailio.cfg", "-E"].map(String::from).to_vec();
        for option in ["-Y", "-w"] {
            args.extend([option.into(), folder.display().to_string()]);
        }
        args.extend(self.args);
        args.extend(more.iter().map(ToString::to_string));
        let program = require::program("kamailio").unwrap();
        let (mut program, mut args) = memory::watched(program, args, folder);
        if let Some((starter, before)) = self.under.split_first() {
            let own = program.display().to_string();
            args.splice(0..0, before.iter().cloned().chain([own]));
            program = starter.into();
        }
        let server = match &self.log {
            Some(file) => {
                let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
                Server::spawn_into(file, "kamailio", &program, &args, folder)
            }
            None => Server::spawn("kamailio", &program, &args, folder),
        };
        let rpc = Rpc::new(folder, &folder.join("rpc"));
        Kamailio {
            module: self.module,
            server,
            port,
            rpc,
            _memory: memory::Verdict::of(self.folder.path()),
            _folder: self.folder,
        }
    }

    /// Starts Kamailio, and waits until it answers SIP.
    pub(crate) fn start(self) -> Kamailio {
        let mut kamailio = self.spawn(&["-DD"]);
        let mut sip = kamailio.sip();
        wait::until("kamailio answers", || {
            let ended = kamailio.server.ended();
            assert!(ended.is_none(), "kamailio ended at its start: {ended:?}");
            sip.answers()
        });
        kamailio.server.settle(kamailio.server.pid());
        kamailio
    }

    /// Starts Kamailio in the background: with it, the pid of its main process.
    pub(crate) fn start_daemonized(self) -> (Kamailio, u32) {
        let file = self.folder.path().join("pid");
        let mut kamailio = self.spawn(&["-P", &file.display().to_string()]);
        let mut sip = kamailio.sip();
        wait::until("kamailio answers", || sip.answers());
        let status = kamailio.server.wait();
        assert!(status.success(), "{status}");
        let pid = wait::until_some("the pid file is written", || {
            std::fs::read_to_string(&file).ok()?.trim().parse().ok()
        });
        kamailio.server.settle(pid);
        (kamailio, pid)
    }

    /// Starts Kamailio where it is expected to refuse: its status and its log.
    pub(crate) fn refused(self) -> (ExitStatus, String) {
        self.outcome()
            .unwrap_or_else(|log| panic!("kamailio started:\n{log}"))
    }

    /// Status and log where Kamailio refuses to start, the log alone where it does start.
    pub(crate) fn outcome(self) -> Result<(ExitStatus, String), String> {
        let mut kamailio = self.spawn(&["-DD"]);
        let mut sip = kamailio.sip();
        let status = wait::until_some("kamailio starts or refuses to", || {
            let started = sip.answers().then_some(None);
            started.or_else(|| kamailio.server.ended().map(Some))
        });
        let left = kamailio.server.family().members();
        let log = kamailio.log();
        let status = status.ok_or_else(|| log.clone())?;
        assert!(left.is_empty(), "processes left: {left:?}");
        Ok((status, log))
    }

    /// Runs `kamailio -c`: its status and its log.
    pub(crate) fn check(self) -> (ExitStatus, String) {
        let mut kamailio = self.spawn(&["-c"]);
        let status = kamailio.server.wait();
        (status, kamailio.log())
    }
}

/// A running Kamailio.
pub(crate) struct Kamailio {
    module: &'static str,
    pub(crate) server: Server,
    port: u16,
    rpc: Rpc,
    // Comes to it when the server has been dropped.
    _memory: memory::Verdict,
    // Holds the configuration, the sockets and the log.
    _folder: TempDir,
}

impl Kamailio {
    pub(crate) fn sip(&self) -> Sip {
        Sip::to(self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn log(&self) -> String {
        self.server.log()
    }

    /// The result of an RPC.
    pub(crate) fn rpc(&self, method: &str, params: &[Value]) -> Value {
        self.rpc
            .call(method, params)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The result of an RPC, or its own error as text.
    pub(crate) fn try_rpc(&self, method: &str, params: &[Value]) -> Result<Value, String> {
        self.rpc.call(method, params)
    }

    /// The part of `sipbus.status` of the connector of the module under test.
    pub(crate) fn connector(&self) -> Value {
        let status = self.rpc("sipbus.status", &[]);
        let found = status["connectors"]
            .as_array()
            .and_then(|all| all.iter().find(|each| each["name"] == self.module).cloned());
        found.unwrap_or_else(|| panic!("no connector {} in {status}", self.module))
    }

    /// Bytes in the queues of all processes, as the status shows them.
    pub(crate) fn queued(&self) -> u64 {
        let connector = self.connector();
        let lanes = connector["lanes"].as_array().unwrap().iter();
        lanes.filter_map(|lane| lane["used"].as_u64()).sum()
    }

    /// Waits until the connector says it is connected.
    pub(crate) fn connected(self) -> Self {
        wait::until("the connector is connected", || {
            self.connector()["state"] == "connected"
        });
        self
    }

    /// The engine's process id.
    pub(crate) fn engine(&self) -> Option<u32> {
        let engine = &self.rpc("sipbus.status", &[])["engine"];
        let pid = engine["pid"]
            .as_u64()
            .filter(|_| engine["state"] == "running")?;
        u32::try_from(pid).ok().filter(|pid| *pid != 0)
    }

    /// Kills the engine, and waits until another one runs.
    pub(crate) fn kill_engine(&self) {
        let engine = self.engine().expect("the engine runs");
        process::send(engine, Signal::KILL);
        wait::until("another engine runs", || {
            self.engine().is_some_and(|pid| pid != engine)
        });
    }

    /// One statistic of the module under test.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let module = self.module;
        let stats = self.rpc("stats.fetch", &[json!(format!("{module}:"))]);
        let shown = stats[format!("{module}.{name}")].as_str();
        shown
            .and_then(|shown| shown.parse().ok())
            .unwrap_or_else(|| panic!("no number {name} in {stats}"))
    }

    /// Waits until a counter has reached a value.
    pub(crate) fn wait_counter(&self, name: &str, value: u64) {
        wait::until(&format!("{name} reaches {value}"), || {
            self.counter(name) >= value
        });
    }

    /// What a script counted with `$shtinc(count=>name)`.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        match self.rpc.call("htable.get", &[json!("count"), json!(name)]) {
            Ok(answer) => answer["item"]["value"]
                .as_u64()
                .unwrap_or_else(|| panic!("{answer}")),
            Err(_) => 0,
        }
    }

    /// Waits until a script has counted up to a value with `$shtinc(count=>name)`.
    pub(crate) fn wait_counted(&self, name: &str, value: u64) {
        wait::until(&format!("the script counts {name} up to {value}"), || {
            self.counted(name) >= value
        });
    }

    /// Waits until tm has let go of every transaction: none is suspended for ever.
    pub(crate) fn wait_no_transaction(&self) {
        wait::until("no transaction is left", || {
            self.rpc("tm.stats", &[])["current"] == json!(0)
        });
    }

    /// Sets what a script reads as `$sht(count=>name)`.
    pub(crate) fn set(&self, name: &str, value: i64) {
        self.rpc("htable.seti", &[json!("count"), json!(name), json!(value)]);
    }

    /// Stops Kamailio as an operator does, and requires what every stop must show: status 0, no
    /// process left, no shared memory left.
    pub(crate) fn stop(mut self) -> String {
        let family = self.server.family().members();
        let status = self.server.stop();
        assert!(status.success(), "kamailio ended with {status}");
        let left = self.server.family().members();
        let lines: Vec<_> = left.iter().map(|pid| process::command_line(*pid)).collect();
        assert!(left.is_empty(), "processes left: {left:?} {lines:?}");
        self.left_no_shared_memory(&family);
        self.log()
    }

    /// Requires that no shared memory is left that one of these processes made.
    pub(crate) fn left_no_shared_memory(&self, family: &[u32]) {
        let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let made_by = |line: &str| line.split_whitespace().nth(4)?.parse::<u32>().ok();
        let segments: Vec<_> = segments
            .lines()
            .filter(|line| made_by(line).is_some_and(|pid| family.contains(&pid)))
            .collect();
        assert!(segments.is_empty(), "shared memory left: {segments:?}");
    }
}
