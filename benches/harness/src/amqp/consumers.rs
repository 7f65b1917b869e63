//! Whether somebody consumes from a queue.

use super::{Connection, method, short};
use std::io;

pub fn run(server: &str, queue: &str) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    // Passive: the queue is only looked at.
    let arguments = [&[0, 0][..], &short(queue), &[1], &[0; 4]].concat();
    connection.write(&method(1, 50, 10, &arguments))?;
    // Where there is none, the server closes the channel.
    let found = connection.expect(50, 11).unwrap_or_default();
    let consumers = found.last_chunk::<4>().copied().unwrap_or_default();
    println!("{}", u32::from_be_bytes(consumers));
    Ok(())
}
