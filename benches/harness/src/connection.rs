//! The least of a NATS client that is needed: it must not be what limits a measurement.

use std::io::{self, Read, Write};
use std::net::TcpStream;

const READ_BYTES: usize = 1 << 20;

/// One connection to a server.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the bytes that were not looked at yet begin and end.
    begin: usize,
    end: usize,
}

/// What the server says, as far as anybody here wants to know.
enum Op {
    /// Where its payload is, counted from `begin`.
    Message(usize, usize),
    Ping,
    Pong,
    Other,
}

impl Connection {
    pub fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            buffer: vec![0; READ_BYTES],
            begin: 0,
            end: 0,
        };
        connection.write(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")?;
        connection.settle()?;
        Ok(connection)
    }

    /// A second handle for writing, for another thread.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn subscribe(&mut self, subject: &str) -> io::Result<()> {
        self.write(format!("SUB {subject} 1\r\n").as_bytes())?;
        self.settle()
    }

    /// Returns when the server has read everything written so far.
    pub fn settle(&mut self) -> io::Result<()> {
        self.write(b"PING\r\n")?;
        loop {
            if self.receive(|_| {})? {
                return Ok(());
            }
        }
    }

    /// Waits for bytes, then hands the payload of every message in them to `each`. True if a PONG
    /// was among them.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        let read = self.stream.read(&mut self.buffer[self.end..])?;
        if read == 0 {
            return Err(io::Error::other("the server closed the connection"));
        }
        self.end += read;
        let mut ponged = false;
        while let Some((op, length)) = parse(&self.buffer[self.begin..self.end])? {
            match op {
                Op::Message(from, to) => each(&self.buffer[self.begin + from..self.begin + to]),
                Op::Ping => self.stream.write_all(b"PONG\r\n")?,
                Op::Pong => ponged = true,
                Op::Other => {}
            }
            self.begin += length;
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        Ok(ponged)
    }
}

/// The first operation and its length, if it is all there.
fn parse(bytes: &[u8]) -> io::Result<Option<(Op, usize)>> {
    let Some(line_end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let (line, next) = (&bytes[..line_end], line_end + 1);
    match line.first() {
        Some(b'M') => {
            let digits = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let length = digits
                .iter()
                .filter(|byte| byte.is_ascii_digit())
                .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            let whole = next + length + 2;
            Ok((whole <= bytes.len()).then_some((Op::Message(next, next + length), whole)))
        }
        Some(b'-') => Err(io::Error::other(String::from_utf8_lossy(line).into_owned())),
        _ if line.starts_with(b"PING") => Ok(Some((Op::Ping, next))),
        _ if line.starts_with(b"PONG") => Ok(Some((Op::Pong, next))),
        _ => Ok(Some((Op::Other, next))),
    }
}

/// `count` messages as they go over the wire, for the subjects in turn.
pub fn messages(subjects: &[String], size: usize, count: usize) -> Vec<u8> {
    let payload = "x".repeat(size);
    let each = subjects.iter().cycle().take(count);
    each.map(|subject| format!("PUB {subject} {size}\r\n{payload}\r\n"))
        .collect::<String>()
        .into_bytes()
}
