//! Events for Kamailio's consumers, as fast as they take them.

use crate::STALLED;
use crate::connection::{Connection, messages};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Messages per write.
const CHUNK: usize = 256;

pub fn run(
    server: &str,
    acks: &str,
    window: usize,
    count: usize,
    size: usize,
    subjects: &[String],
) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    connection.subscribe(acks)?;
    // One of its own: nothing else may be written between the parts of a chunk.
    let mut publisher = Connection::to(server)?;
    let chunk = messages(subjects, size, CHUNK);
    let consumed = AtomicUsize::new(0);
    let begin = Instant::now();
    thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let mut sent = 0;
            while sent < count {
                if sent >= consumed.load(Ordering::Relaxed) + window {
                    thread::park_timeout(STALLED);
                    continue;
                }
                // The counts that are asked for are multiples of this.
                publisher.write(&chunk)?;
                sent += CHUNK;
            }
            Ok::<_, io::Error>(())
        });
        add_up(&mut connection, &consumed, count, || {
            publishing.thread().unpark()
        })?;
        let elapsed = begin.elapsed().as_nanos();
        println!("{} {elapsed}", consumed.load(Ordering::Relaxed));
        // Where something was lost, the publisher may wait for it for ever.
        std::process::exit(0)
    })
}

/// Adds up what the consumers say, until it is `count` or nothing more comes.
fn add_up(
    connection: &mut Connection,
    consumed: &AtomicUsize,
    count: usize,
    wake: impl Fn(),
) -> io::Result<()> {
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    while consumed.load(Ordering::Relaxed) < count {
        let mut more = 0;
        let received = connection.receive(|payload| {
            let text = std::str::from_utf8(payload).unwrap_or_default();
            more += text.parse::<usize>().unwrap_or(0);
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            other => other?,
        };
        consumed.fetch_add(more, Ordering::Relaxed);
        wake();
    }
    Ok(())
}
