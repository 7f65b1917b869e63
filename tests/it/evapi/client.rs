//! The program at the other end of the event socket: what counts is what it receives.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::listener::clients;
use crate::kamailio::Kamailio;
use crate::wait;

/// What a client talks through.
pub(crate) trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// One connection to the event socket. Netstrings are checked to the last byte: what is none fails
/// the test.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    socket: Option<TcpStream>,
    buffer: Vec<u8>,
    taken: usize,
}

impl Client {
    /// Connects over TCP, and waits until Kamailio has admitted the client.
    pub(crate) fn connect(kamailio: &Kamailio, port: u16) -> Self {
        let client = Self::dial((Ipv4Addr::LOCALHOST, port).into());
        client.admitted(kamailio);
        client
    }

    /// Connects over TCP, no more.
    pub(crate) fn dial(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(wait::watchdog())).unwrap();
        let socket = stream.try_clone().unwrap();
        Self {
            socket: Some(socket),
            ..Self::over(stream)
        }
    }

    pub(crate) fn unix(path: &std::path::Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(wait::watchdog())).unwrap();
        Self::over(stream)
    }

    /// Connects over TLS. What is wrong with it shows when the client talks.
    pub(crate) fn tls(port: u16, config: ClientConfig) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(wait::watchdog())).unwrap();
        let socket = stream.try_clone().unwrap();
        let name = "localhost".try_into().unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self {
            socket: Some(socket),
            ..Self::over(StreamOwned::new(connection, stream))
        }
    }

    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            socket: None,
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Waits until Kamailio has admitted this client.
    pub(crate) fn admitted(&self, kamailio: &Kamailio) {
        wait::until("the client is admitted", || {
            self.shown(kamailio)
                .is_some_and(|client| client["state"] == "up")
        });
    }

    /// This client's part of `evapi.clients`.
    pub(crate) fn shown(&self, kamailio: &Kamailio) -> Option<Value> {
        let port = self.local_port();
        let mut all = clients(kamailio).into_iter();
        all.find(|client| client["port"] == port)
    }

    /// The index that Kamailio gave this client.
    pub(crate) fn index(&self, kamailio: &Kamailio) -> u64 {
        let shown = self.shown(kamailio).expect("a client that is shown");
        shown["conidx"].as_u64().expect("an index")
    }

    pub(crate) fn local_port(&self) -> u16 {
        self.tcp().local_addr().unwrap().port()
    }

    fn tcp(&self) -> &TcpStream {
        self.socket.as_ref().expect("a TCP client")
    }

    /// Sends one frame.
    pub(crate) fn send(&mut self, data: impl AsRef<[u8]>) {
        let frame = netstring(data.as_ref());
        self.send_raw(&frame);
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// Sends bytes to a server that may have ended the connection.
    pub(crate) fn try_send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// Ends this side of the connection, and may still read.
    pub(crate) fn end(&self) {
        self.tcp().shutdown(Shutdown::Write).unwrap();
    }

    /// Waits until the server has read all that was sent: the next bytes arrive by themselves.
    pub(crate) fn taken(&self) {
        let near = proc_address(self.tcp().local_addr().unwrap());
        // It may have ended the connection instead.
        let Ok(far) = self.tcp().peer_addr().map(proc_address) else {
            return;
        };
        let unread = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1] == far && fields[2] == near && !fields[4].ends_with(":00000000")
        };
        let unsent = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1] == near && fields[2] == far && !fields[4].starts_with("00000000:")
        };
        wait::until("the server has read it", || {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            !table.lines().any(|line| unread(line) || unsent(line))
        });
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        self.next().expect("a frame, not the end")
    }

    /// The next frame, as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.frame()).into_owned()
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.buffered() {
                return Some(frame);
            }
            if self.fill() == 0 {
                assert_eq!(self.taken, self.buffer.len(), "a frame was cut off");
                return None;
            }
        }
    }

    /// All frames until a server has ended the connection, maybe within one.
    pub(crate) fn until_cut(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        loop {
            frames.extend(std::iter::from_fn(|| self.buffered()));
            if self.fill() == 0 {
                return frames;
            }
        }
    }

    /// All frames until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(frame) = self.next() {
            rest.push(String::from_utf8_lossy(&frame).into_owned());
        }
        rest
    }

    /// Waits for so many bytes, whatever they are.
    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() - self.taken < length {
            assert_ne!(self.fill(), 0, "the connection ended");
        }
        self.taken += length;
        self.buffer[self.taken - length..self.taken].to_vec()
    }

    fn buffered(&mut self) -> Option<Vec<u8>> {
        let bytes = &self.buffer[self.taken..];
        let colon = bytes.iter().position(|byte| *byte == b':')?;
        let length = std::str::from_utf8(&bytes[..colon]).unwrap_or_default();
        let length: usize = length
            .parse()
            .unwrap_or_else(|_| panic!("no netstring: {}", bytes.escape_ascii()));
        let data = bytes.get(colon + 1..colon + 2 + length)?;
        assert_eq!(data[length], b',', "a frame without its comma");
        let frame = data[..length].to_vec();
        self.taken += colon + 2 + length;
        Some(frame)
    }

    /// Reads more; 0 at the end, which a reset is, too.
    fn fill(&mut self) -> usize {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let begin = self.buffer.len();
        self.buffer.resize(begin + 65_536, 0);
        let length = match self.stream.read(&mut self.buffer[begin..]) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.fill_again(begin),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                panic!("watchdog: nothing arrives");
            }
            Err(_) => 0,
        };
        self.buffer.truncate(begin + length);
        length
    }

    fn fill_again(&mut self, begin: usize) -> usize {
        self.buffer.truncate(begin);
        self.fill()
    }

    /// Ends the connection with a reset. Linux resets a connection that is closed while something
    /// that was received has not been read: the caller has seen to that.
    pub(crate) fn reset(self) {
        let mut byte = [0];
        while self.tcp().peek(&mut byte).unwrap() == 0 {}
    }
}

pub(crate) fn netstring(data: &[u8]) -> Vec<u8> {
    [format!("{}:", data.len()).as_bytes(), data, b","].concat()
}

/// As `/proc/net/tcp` writes an IPv4 address.
fn proc_address(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("IPv4 is expected");
    };
    let bits = u32::from_le_bytes(address.ip().octets());
    format!("{bits:08X}:{:04X}", address.port())
}
