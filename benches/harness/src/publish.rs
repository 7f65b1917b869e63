//! The raw connection: what a publisher could reach that does nothing else.

use crate::amqp;
use crate::connection::{Connection, messages};
use std::io;
use std::time::Instant;

/// Messages per write.
const CHUNK: usize = 512;

pub fn run(server: &str, count: usize, size: usize, subject: &str) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    let chunk = messages(&[subject.to_owned()], size, CHUNK);
    let begin = Instant::now();
    write(count, &chunk, |bytes| connection.write(bytes))?;
    connection.settle()?;
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}

pub fn amqp(server: &str, count: usize, size: usize, key: &str) -> io::Result<()> {
    let mut connection = amqp::Connection::to(server)?;
    let chunk = amqp::messages(key, size, CHUNK);
    let begin = Instant::now();
    write(count, &chunk, |bytes| connection.write(bytes))?;
    connection.settle()?;
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}

/// Writes `count` messages, of which `chunk` has CHUNK of the same size.
fn write(
    count: usize,
    chunk: &[u8],
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK);
        write(&chunk[..chunk.len() / CHUNK * now])?;
        left -= now;
    }
    Ok(())
}
