//! A program that is connected to the event socket, for the rules that all connectors share.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use super::listener::on;
use crate::conformance::peer::{self, Reach};
use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::process::{self, Server};
use crate::{port, require, wait};

/// Connects again and again; what comes on connection N goes into the file N.
const PROGRAM: &str = r#"
n=0
while :; do
    while [ -e $n ]; do n=$((n+1)); done
    { cat > $n < /dev/tcp/127.0.0.1/$1; } 2>/dev/null
    sleep 0.05
done
"#;

/// What Kamailio relays when the program has connected.
const HELLO: &[u8] = b"hello";

/// A client of the event socket that connects again whenever it lost its connection.
pub(crate) struct Peer {
    /// The event socket's.
    port: u16,
    gate: Option<Gate>,
    program: Option<Server>,
    inlet: Inlet,
    /// How many connections have been waited for.
    heard: usize,
    folder: TempDir,
}

impl Peer {
    fn run(&mut self) {
        let port = self.gate.as_ref().map_or(self.port, Gate::port);
        let args = ["-c", PROGRAM, "client", &port.to_string()].map(String::from);
        let bash = require::program("bash").unwrap();
        let folder = self.folder.path();
        self.program = Some(Server::spawn("client", &bash, &args, folder));
    }

    fn signal(&self, signal: Signal) {
        let program = self.program.as_ref().expect("a running client");
        for pid in program.family().members() {
            process::send(pid, signal);
        }
    }
}

impl peer::Peer for Peer {
    const NEEDS: &'static [&'static str] = &["evapi"];
    const BURST: u32 = 20_000;
    const CONNECTIONS: usize = 1;
    /// A frame is for those who are there.
    const WAITS: bool = false;
    const EMPTY: bool = false;

    fn start(reach: Reach) -> Self {
        let port = port::free();
        let folder = tempfile::Builder::new()
            .prefix("sipbus-client-")
            .tempdir()
            .unwrap();
        let mut peer = Self {
            port,
            gate: (reach == Reach::Gated).then(|| Gate::before(port)),
            program: None,
            inlet: Inlet::default(),
            heard: 0,
            folder,
        };
        peer.run();
        peer
    }

    fn config(&self) -> Config {
        let hello = String::from_utf8_lossy(HELLO);
        on(self.port).routes(&format!(
            r#"event_route[evapi:connection-new] {{ evapi_relay("{hello}"); }}"#
        ))
    }

    fn publish(&self, text: &str) -> String {
        format!(r#"evapi_relay("{text}")"#)
    }

    fn joined(&mut self, _: &Kamailio) {
        let heard = self.heard;
        wait::until("the client is greeted", || {
            self.inlet.read(self.folder.path());
            self.inlet.hellos > heard
        });
        self.heard = self.inlet.hellos;
    }

    fn gate(&self) -> &Gate {
        self.gate.as_ref().expect("a gate")
    }

    fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn kill(&mut self) {
        let mut program = self.program.take().expect("a running client");
        wait::until("no process of the client is left", || {
            let members = program.family().members();
            members
                .iter()
                .for_each(|pid| process::send(*pid, Signal::KILL));
            members.is_empty()
        });
        program.wait();
    }

    fn start_again(&mut self) {
        self.run();
    }

    fn count(&mut self) -> usize {
        self.inlet.read(self.folder.path());
        self.inlet.frames.len()
    }

    fn arrived(&mut self) -> Vec<Vec<u8>> {
        self.inlet.read(self.folder.path());
        self.inlet.frames.clone()
    }
}

/// What the program has written so far.
#[derive(Default)]
struct Inlet {
    file: Option<File>,
    number: usize,
    /// The begin of a frame.
    buffer: Vec<u8>,
    frames: Vec<Vec<u8>>,
    hellos: usize,
}

impl Inlet {
    /// Reads on, through all files that there are.
    fn read(&mut self, folder: &Path) {
        loop {
            // Once there is another file, this one grows no more.
            let last = !folder.join((self.number + 1).to_string()).exists();
            if self.file.is_none() {
                self.file = File::open(folder.join(self.number.to_string())).ok();
            }
            let Some(file) = &mut self.file else { return };
            file.read_to_end(&mut self.buffer).unwrap();
            self.take_frames();
            if last {
                return;
            }
            // A frame that the end of its connection cut off is gone.
            self.buffer.clear();
            self.file = None;
            self.number += 1;
        }
    }

    fn take_frames(&mut self) {
        let mut taken = 0;
        while let Some((frame, length)) = netstring(&self.buffer[taken..]) {
            taken += length;
            if frame == HELLO {
                self.hellos += 1;
            } else {
                self.frames.push(frame);
            }
        }
        self.buffer.drain(..taken);
    }
}

/// The first frame, and how many bytes it takes with its length and its comma.
fn netstring(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length = std::str::from_utf8(&bytes[..colon]).unwrap_or_default();
    let length: usize = length
        .parse()
        .unwrap_or_else(|_| panic!("no netstring: {}", bytes.escape_ascii()));
    let frame = bytes.get(colon + 1..colon + 1 + length)?;
    let comma = bytes.get(colon + 1 + length)?;
    assert_eq!(*comma, b',', "a frame without its comma");
    Some((frame.to_vec(), colon + 2 + length))
}
