//! The least of an AMQP client that is needed: it must not be what limits a measurement.

pub mod answer;
pub mod consumers;
pub mod query;

use std::io::{self, Read, Write};
use std::net::TcpStream;

const READ_BYTES: usize = 1 << 20;

/// The exchange that everything measured goes through, of type topic.
pub const EXCHANGE: &str = "bench";

/// What ends a frame.
const END: u8 = 0xce;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// One connection with one channel.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the bytes that were not looked at yet begin and end.
    begin: usize,
    end: usize,
}

/// A frame: its kind and what is in it.
struct Frame {
    kind: u8,
    from: usize,
    to: usize,
}

impl Connection {
    /// Connects, and declares the exchange.
    pub fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            buffer: vec![0; READ_BYTES],
            begin: 0,
            end: 0,
        };
        connection.write(b"AMQP\0\0\x09\x01")?;
        connection.expect(10, 10)?;
        let login = [
            &[0; 4][..],
            &short("PLAIN"),
            &long("\0guest\0guest"),
            &short("en_US"),
        ];
        connection.write(&method(0, 10, 11, &login.concat()))?;
        // The server's own limits, and no heartbeats.
        let mut limits = connection.expect(10, 30)?;
        limits.truncate(6);
        limits.extend([0, 0]);
        connection.write(&method(0, 10, 31, &limits))?;
        connection.write(&method(
            0,
            10,
            40,
            &[&short("/")[..], &short(""), &[0]].concat(),
        ))?;
        connection.expect(10, 41)?;
        connection.write(&method(1, 20, 10, &short("")))?;
        connection.expect(20, 11)?;
        connection.declare_exchange(EXCHANGE, "topic")?;
        Ok(connection)
    }

    pub fn declare_exchange(&mut self, name: &str, kind: &str) -> io::Result<()> {
        let arguments = [&[0, 0][..], &short(name), &short(kind), &[0; 5]].concat();
        self.write(&method(1, 40, 10, &arguments))?;
        self.expect(40, 11).map(|_| ())
    }

    /// A second handle for writing, for another thread.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Consumes what comes with `key`, through a queue of its own.
    pub fn subscribe(&mut self, exchange: &str, key: &str) -> io::Result<()> {
        // Exclusive, so it goes with the connection.
        let queue = [&[0, 0][..], &short(""), &[0b100], &[0; 4]].concat();
        self.write(&method(1, 50, 10, &queue))?;
        let declared = self.expect(50, 11)?;
        let name = &declared[..1 + usize::from(declared[0])];
        let bound = [&[0, 0], name, &short(exchange), &short(key), &[0; 5]].concat();
        self.write(&method(1, 50, 20, &bound))?;
        self.expect(50, 21)?;
        // Without acknowledgements.
        let consumed = [&[0, 0], name, &short(""), &[0b10], &[0; 4]].concat();
        self.write(&method(1, 60, 20, &consumed))?;
        self.expect(60, 21).map(|_| ())
    }

    /// Returns when the server has taken everything written so far.
    pub fn settle(&mut self) -> io::Result<()> {
        self.declare_exchange(EXCHANGE, "topic")
    }

    /// Waits for bytes, then hands the body of every message in them to `each`.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.read()?;
        while let Some(frame) = self.frame()? {
            match frame.kind {
                BODY => each(&self.buffer[frame.from..frame.to]),
                METHOD => self.refuse_close(&frame)?,
                _ => {}
            }
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        Ok(())
    }

    /// The arguments of the next method, which must be this one.
    fn expect(&mut self, class: u16, number: u16) -> io::Result<Vec<u8>> {
        loop {
            while let Some(frame) = self.frame()? {
                self.refuse_close(&frame)?;
                let content = &self.buffer[frame.from..frame.to];
                if frame.kind == METHOD && content[..4] == ids(class, number) {
                    return Ok(content[4..].to_vec());
                }
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> io::Result<()> {
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
        Ok(())
    }

    /// The next frame, if it is all there. It counts as looked at.
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let bytes = &self.buffer[self.begin..self.end];
        let [kind, _, _, a, b, c, d, ..] = *bytes else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match bytes.get(7 + length) {
            None => Ok(None),
            Some(&END) => {
                let from = self.begin + 7;
                self.begin = from + length + 1;
                let to = from + length;
                Ok(Some(Frame { kind, from, to }))
            }
            Some(_) => Err(io::Error::other("a frame without its end")),
        }
    }

    fn refuse_close(&self, frame: &Frame) -> io::Result<()> {
        let content = &self.buffer[frame.from..frame.to];
        let closes = [ids(10, 50), ids(20, 40)];
        if frame.kind == METHOD && closes.iter().any(|close| content.starts_with(close)) {
            let why = String::from_utf8_lossy(&content[7..]).into_owned();
            return Err(io::Error::other(why));
        }
        Ok(())
    }
}

fn ids(class: u16, number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (class.to_be_bytes(), number.to_be_bytes());
    [a, b, c, d]
}

fn short(text: &str) -> Vec<u8> {
    let mut bytes = vec![text.len() as u8];
    bytes.extend(text.bytes());
    bytes
}

fn long(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

fn put_frame(into: &mut Vec<u8>, kind: u8, channel: u16, content: &[u8]) {
    into.push(kind);
    into.extend(channel.to_be_bytes());
    into.extend((content.len() as u32).to_be_bytes());
    into.extend(content);
    into.push(END);
}

fn method(channel: u16, class: u16, number: u16, arguments: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let content = [&ids(class, number), arguments].concat();
    put_frame(&mut frame, METHOD, channel, &content);
    frame
}

/// A message as it goes over the wire.
pub fn message(exchange: &str, key: &str, body: &[u8]) -> Vec<u8> {
    let arguments = [&[0, 0][..], &short(exchange), &short(key), &[0]].concat();
    let mut bytes = method(1, 60, 40, &arguments);
    let length = (body.len() as u64).to_be_bytes();
    let header = [
        &[0, 60, 0, 0][..],
        &length,
        &[0x80, 0],
        &short("application/json"),
    ]
    .concat();
    put_frame(&mut bytes, HEADER, 1, &header);
    put_frame(&mut bytes, BODY, 1, body);
    bytes
}

/// `count` messages with a body of `size` bytes, the JSON that a script publishes.
pub fn messages(key: &str, size: usize, count: usize) -> Vec<u8> {
    let frame = r#"{ "Event-Category": "bench", "Event-Name": "event", "Padding": "" }"#;
    let padding = "x".repeat(size.saturating_sub(frame.len()));
    let body = frame.replace(r#""" }"#, &format!(r#""{padding}" }}"#));
    message(EXCHANGE, key, body.as_bytes()).repeat(count)
}

/// The text of a member of a JSON object in which no text has escapes.
pub fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = json.split_once(&format!("\"{name}\": \""))?;
    Some(behind.split_once('"')?.0)
}
