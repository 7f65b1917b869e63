//! The example `async-routing`: its kamailio.cfg, both its routing programs, and sipp at the ends.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Server;
use crate::require::needs;
use crate::{port, require, turn, wait};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/async-routing")
}

/// A program in a folder of its own, by which its processes are known.
struct Running {
    server: Server,
    // Holds the log.
    _folder: TempDir,
}

impl Running {
    fn start(name: &'static str, program: &str, args: &[String]) -> Self {
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
    fn ends_well(mut self) {
        let status = self.server.wait();
        assert!(status.success(), "{status}\n{}", self.server.log());
    }
}

/// Kamailio with the example's configuration, and the ports of all who take part.
struct Routing {
    kamailio: Running,
    router: Option<Running>,
    sip: u16,
    evapi: u16,
    gateways: [u16; 2],
}

impl Routing {
    fn start() -> Self {
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
    fn greetings(&self) -> usize {
        self.kamailio
            .server
            .log()
            .matches("the routing program says")
            .count()
    }

    /// Starts a routing program, and waits until Kamailio knows it.
    fn route_with(&mut self, file: &str) {
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
    fn kill_router(&mut self) {
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

    fn party(&self, scenario: &str, port: u16, more: &[&str]) -> Running {
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
    fn called(&self, scenario: &str, port: u16) -> Running {
        let party = self.party(scenario, port, &[]);
        let listening = format!("0100007F:{port:04X} ");
        wait::until("it listens", || {
            std::fs::read_to_string("/proc/net/udp")
                .unwrap()
                .contains(&listening)
        });
        party
    }

    fn calls(&self, scenario: &str, user: &str) {
        let target = format!("127.0.0.1:{}", self.sip);
        self.party(scenario, port::free(), &["-s", user, &target])
            .ends_well();
    }

    /// The first gateway refuses, the second answers, each with its own headers: sipp checks them.
    fn is_forked_serially(&self, number: &str) {
        let first = self.called("gateway1_refuses", self.gateways[0]);
        let second = self.called("gateway2_answers", self.gateways[1]);
        self.calls("caller", number);
        first.ends_well();
        second.ends_well();
    }

    fn stop(mut self) {
        let status = self.kamailio.server.stop();
        assert!(status.success(), "kamailio ended with {status}");
        assert!(self.kamailio.server.family().members().is_empty());
    }
}

fn routes_calls(file: &str) {
    let _turn = turn::light();
    let mut routing = Routing::start();
    // Nobody to ask: the call is answered at once, by the script.
    routing.calls("caller_refused", "+4930123456");
    routing.route_with(file);
    routing.is_forked_serially("+4930123456");
    routing.is_forked_serially("4930123456");

    // In parallel: who answers has the call, the other's is cancelled.
    let ringing = routing.called("phone_rings", routing.gateways[0]);
    let answering = routing.called("phone_answers", routing.gateways[1]);
    routing.calls("caller", "support");
    ringing.ends_well();
    answering.ends_well();

    // A local extension goes to where it registered.
    let phone = port::free();
    let target = format!("127.0.0.1:{}", routing.sip);
    let key = ["-s", "bob", "-key", "phone", &phone.to_string(), &target];
    routing.party("register", port::free(), &key).ends_well();
    let answering = routing.called("phone_answers", phone);
    routing.calls("caller", "bob");
    answering.ends_well();

    for _ in 0..2 {
        routing.kill_router();
        routing.calls("caller_refused", "+4930123456");
        routing.route_with(file);
        routing.is_forked_serially("+4930123456");
    }
    routing.stop();
}

#[test]
fn the_program_in_node_routes_calls() {
    needs!(
        "kamailio",
        "evapi",
        "sipp",
        "node",
        "rtjson.so",
        "jansson.so"
    );
    routes_calls("router.js");
}

#[test]
fn the_program_in_python_routes_calls() {
    needs!(
        "kamailio",
        "evapi",
        "sipp",
        "python3",
        "rtjson.so",
        "jansson.so"
    );
    routes_calls("router.py");
}

/// The routing program at a harness that speaks for Kamailio.
fn survives_any_packets(file: &str, interpreter: &str) {
    use super::client::Client;
    let _turn = turn::light();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let args = [
        example().join(file).display().to_string(),
        address.to_string(),
    ];
    let _router = Running::start("router", interpreter, &args);
    let question = |number: u32| {
        let callee = if number.is_multiple_of(2) {
            "bob"
        } else {
            "+4930123456"
        };
        super::client::netstring(
            format!(
                "{{\"event\": \"sip-routing\", \"tindex\": {number}, \"tlabel\": 7,\n \"caller\": \"Jürgen\", \"callee\": \"{callee}\"}}"
            )
            .as_bytes(),
        )
    };
    let answers = |client: &mut Client, numbers: std::ops::Range<u32>| {
        for number in numbers {
            let answer: serde_json::Value = serde_json::from_slice(&client.frame()).unwrap();
            let routing = if number.is_multiple_of(2) {
                "location"
            } else {
                "serial"
            };
            assert_eq!(
                (&answer["xtra"]["tindex"], &answer["xtra"]["tlabel"]),
                (&number.into(), &7.into())
            );
            assert_eq!(answer["routing"], routing);
        }
    };
    // Twice: it comes back when the connection ended.
    for _ in 0..2 {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(wait::watchdog())).unwrap();
        let mut client = Client::over(stream);
        assert!(client.text().contains(file));
        // Many in one packet.
        let packet: Vec<u8> = (0..100).flat_map(question).collect();
        client.send_raw(&packet);
        answers(&mut client, 0..100);
        // One in many packets.
        for byte in (100..103).flat_map(question) {
            client.send_raw(&[byte]);
        }
        answers(&mut client, 100..103);
        // What is no question is passed over.
        client.send("not JSON");
        client.send("null");
        client.send("[1]");
        client.send_raw(&question(104));
        answers(&mut client, 104..105);
    }
}

#[test]
fn the_program_in_node_survives_any_packets() {
    needs!("node");
    survives_any_packets("router.js", "node");
}

#[test]
fn the_program_in_python_survives_any_packets() {
    needs!("python3");
    survives_any_packets("router.py", "python3");
}
