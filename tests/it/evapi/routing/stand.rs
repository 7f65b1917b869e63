//! What the tests of the example use: Kamailio with its configuration, its programs, and sipp.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Server;
use crate::{port, require, wait};

pub(super) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/async-routing")
}

/// A program in a folder of its own, by which its processes are known.
pub(super) struct Running {
    pub(super) server: Server,
    // Holds the log.
    _folder: TempDir,
}

impl Running {
    pub(super) fn start(name: &'static str, program: &str, args: &[String]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-routing-")
            .tempdir()
            .unwrap();
        let program = require::program(program).unwrap();
        let server = Server::spawn(name, &program, args, folder.path());
        Self {
            server,
            _folder: folder,
        }
    }

    /// The scenario went as it is written.
    pub(super) fn ends_well(mut self) {
        let status = self.server.wait();
        assert!(status.success(), "{status}\n{}", self.server.log());
    }
}

/// Kamailio with the example's configuration, and the ports of all who take part.
pub(super) struct Routing {
    pub(super) kamailio: Running,
    pub(super) router: Option<Running>,
    pub(super) sip: u16,
    pub(super) evapi: u16,
    pub(super) gateways: [u16; 2],
}

impl Routing {
    pub(super) fn start() -> Self {
        let (sip, evapi) = (port::free(), port::free());
        let modules = format!(
            "\"{}/:{}/\"",
            require::modules().display(),
            require::stock_modules().display()
        );
        let config = example().join("kamailio.cfg").display().to_string();
        let defines = [
            format!("MODULES={modules}"),
            format!("SIP_LISTEN=udp:127.0.0.1:{sip}"),
            format!("EVAPI_LISTEN=\"127.0.0.1:{evapi}\""),
        ];
        let mut args = ["-DD", "-E", "-f", &config].map(String::from).to_vec();
        args.extend(defines.into_iter().flat_map(|define| ["-A".into(), define]));
        args.extend(["-w", ".", "-Y", "."].map(String::from));
        let kamailio = Running::start("kamailio", "kamailio", &args);
        let gateways = [port::free(), port::free()];
        let mut probe = crate::sip::Sip::to(sip);
        wait::until("kamailio answers", || probe.answers());
        Self {
            kamailio,
            router: None,
            sip,
            evapi,
            gateways,
        }
    }

    /// How often the routing program has introduced itself.
    pub(super) fn greetings(&self) -> usize {
        self.kamailio
            .server
            .log()
            .matches("the routing program says")
            .count()
    }

    /// Starts a routing program, and waits until Kamailio knows it.
    pub(super) fn route_with(&mut self, file: &str) {
        let before = self.greetings();
        let interpreter = if file.ends_with(".js") {
            "node"
        } else {
            "python3"
        };
        let mut args = vec![example().join(file).display().to_string()];
        args.push(format!("127.0.0.1:{}", self.evapi));
        args.extend(self.gateways.map(|port| format!("sip:127.0.0.1:{port}")));
        self.router = Some(Running::start("router", interpreter, &args));
        wait::until("the routing program is known", || self.greetings() > before);
    }

    /// Kills the routing program, and waits until Kamailio knows that.
    pub(super) fn kill_router(&mut self) {
        let gone = |kamailio: &Running| {
            kamailio
                .server
                .log()
                .matches("routing program gone")
                .count()
        };
        let before = gone(&self.kamailio);
        let router = self.router.take().expect("a routing program");
        router.server.signal(Signal::KILL);
        wait::until("the routing program is gone", || {
            gone(&self.kamailio) > before
        });
    }

    pub(super) fn party(&self, scenario: &str, port: u16, more: &[&str]) -> Running {
        let file = example().join("sipp").join(format!("{scenario}.xml"));
        let (file, port) = (file.display().to_string(), port.to_string());
        let mut args = [
            "-sf",
            &file,
            "-m",
            "1",
            "-i",
            "127.0.0.1",
            "-p",
            &port,
            "-nostdin",
        ]
        .map(String::from)
        .to_vec();
        args.extend(["-timeout", "50", "-timeout_error", "-trace_err"].map(String::from));
        args.extend(more.iter().map(ToString::to_string));
        Running::start("sipp", "sipp", &args)
    }

    /// Starts who is to be called, and waits until it listens.
    pub(super) fn called(&self, scenario: &str, port: u16) -> Running {
        let party = self.party(scenario, port, &[]);
        let listening = format!("0100007F:{port:04X} ");
        wait::until("it listens", || {
            std::fs::read_to_string("/proc/net/udp")
                .unwrap()
                .contains(&listening)
        });
        party
    }

    pub(super) fn calls(&self, scenario: &str, user: &str) {
        let target = format!("127.0.0.1:{}", self.sip);
        self.party(scenario, port::free(), &["-s", user, &target])
            .ends_well();
    }

    /// The first gateway refuses, the second answers, each with its own headers: sipp checks them.
    pub(super) fn is_forked_serially(&self, number: &str) {
        let first = self.called("gateway1_refuses", self.gateways[0]);
        let second = self.called("gateway2_answers", self.gateways[1]);
        self.calls("caller", number);
        first.ends_well();
        second.ends_well();
    }

    pub(super) fn stop(mut self) {
        let status = self.kamailio.server.stop();
        assert!(status.success(), "kamailio ended with {status}");
        assert!(self.kamailio.server.family().members().is_empty());
    }
}
