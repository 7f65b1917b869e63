//! The raw connection: what a publisher could reach that does nothing else.

use crate::connection::{Connection, messages};
use std::io;
use std::time::Instant;

/// Messages per write.
const CHUNK: usize = 512;

pub fn run(server: &str, count: usize, size: usize, subject: &str) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    let chunk = messages(&[subject.to_owned()], size, CHUNK);
    let begin = Instant::now();
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK);
        connection.write(&chunk[..chunk.len() / CHUNK * now])?;
        left -= now;
    }
    connection.settle()?;
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}
