//! A nats-server on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Server;
use crate::{port, require, wait};

/// A running nats-server; it can be stopped and started again on the same port.
pub(crate) struct Nats {
    port: u16,
    folder: TempDir,
    server: Option<Server>,
}

impl Nats {
    /// A server that asks for nothing.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// A server with further lines in its configuration.
    pub(crate) fn with(lines: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sipbus-nats-")
            .tempdir()
            .unwrap();
        let port = port::free();
        let mut nats = Self {
            port,
            folder,
            server: None,
        };
        nats.configure(lines);
        nats.start_again();
        nats
    }

    /// Replaces the further lines; they count from the next start on.
    pub(crate) fn configure(&self, lines: &str) {
        let port = self.port;
        // The large limits are for the independent subscriber: the server must not cut it off
        // while a whole backlog is sent to it in one go.
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nmax_pending: 1GB\nwrite_deadline: \"60s\"\n{lines}\n"
        );
        std::fs::write(self.folder.path().join("nats.conf"), config).unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        let program = require::program("nats-server").unwrap();
        let args = ["-c".into(), "nats.conf".into()];
        self.server = Some(Server::spawn(
            "nats-server",
            &program,
            &args,
            self.folder.path(),
        ));
        wait::until("nats-server answers", || {
            let server = self.server.as_mut().unwrap();
            assert!(
                server.ended().is_none(),
                "nats-server ended:\n{}",
                server.log()
            );
            answers(self.port)
        });
    }

    /// Stops the server; its port refuses connections from then on.
    pub(crate) fn stop(&mut self) {
        self.server.take().expect("a running server").stop();
    }

    /// Ends the server as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().expect("a running server");
        server.signal(Signal::KILL);
        server.wait();
    }

    pub(crate) fn takes_clients(&self) -> bool {
        answers(self.port)
    }

    /// Asks its clients to leave, and takes no new ones.
    pub(crate) fn lame_duck(&self) {
        self.server.as_ref().unwrap().signal(Signal::USR2);
    }

    /// Holds the server up: its connections stay, and nothing moves on them.
    pub(crate) fn freeze(&self) {
        self.server.as_ref().unwrap().signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.server.as_ref().unwrap().signal(Signal::CONT);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The URL with something before the address: user and password, or a token.
    pub(crate) fn url_as(&self, who: &str) -> String {
        format!("nats://{who}@127.0.0.1:{}", self.port)
    }
}

/// Whether a server says its INFO on this port.
fn answers(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .is_ok_and(|_| line.starts_with("INFO "))
}
