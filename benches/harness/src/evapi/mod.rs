//! Programs that are connected to the event socket.

pub mod count;
pub mod roundtrip;
pub mod send;

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

const READ_BYTES: usize = 1 << 20;

/// So long at most until a new client is served, or a write goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the script relays is either of the size that is measured or shorter than this.
const SHORT: usize = 100;

/// One connection. The script greets each new client, so that it is known to be served.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the bytes that were not looked at yet begin and end.
    begin: usize,
    end: usize,
}

impl Client {
    pub fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream,
            buffer: vec![0; READ_BYTES],
            begin: 0,
            end: 0,
        };
        let mut greeted = false;
        while !greeted {
            client.receive(|frame| greeted |= frame == b"hello")?;
        }
        client.stream.set_read_timeout(None)?;
        Ok(client)
    }

    pub fn several(address: &str, count: usize) -> io::Result<Vec<Self>> {
        (0..count).map(|_| Self::to(address)).collect()
    }

    /// A second handle for writing, for another thread.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Waits for bytes, then hands every frame in them to `each`.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        let read = self.stream.read(&mut self.buffer[self.end..])?;
        if read == 0 {
            return Err(io::Error::other("Kamailio closed the connection"));
        }
        self.end += read;
        while let Some((data, length)) = parse(&self.buffer[self.begin..self.end])? {
            each(data);
            self.begin += length;
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        Ok(())
    }
}

/// A client that is there and never reads.
pub fn stall(address: &str) -> io::Result<()> {
    let _client = Client::to(address)?;
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The first netstring's data and its whole length, if it is all there.
fn parse(bytes: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at < 8 => length = length * 10 + usize::from(byte - b'0'),
            b':' => {
                let (from, to) = (at + 1, at + 1 + length);
                return match bytes.get(to) {
                    Some(b',') => Ok(Some((&bytes[from..to], to + 1))),
                    Some(_) => Err(io::Error::other("a frame without its comma")),
                    None => Ok(None),
                };
            }
            _ => return Err(io::Error::other("no netstring")),
        }
    }
    Ok(None)
}

/// `data` as it goes over the wire.
fn frame(data: &str) -> String {
    format!("{}:{data},", data.len())
}
