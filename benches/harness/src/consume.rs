//! Events for Kamailio's consumers, as fast as they take them.

use crate::connection::{Connection, messages};
use crate::{STALLED, amqp};
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
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    // One of its own: nothing else may be written between the parts of a chunk.
    let mut publisher = Connection::to(server)?;
    let chunk = messages(subjects, size, CHUNK);
    let load = Load {
        window,
        count,
        slack: 0,
    };
    let publish = |_| publisher.write(&chunk);
    load.run(publish, |consumed| {
        let received = connection.receive(|payload| {
            let text = std::str::from_utf8(payload).unwrap_or_default();
            *consumed += text.parse::<usize>().unwrap_or(0);
        });
        received.map(|_| ())
    })
}

pub fn amqp(
    server: &str,
    window: usize,
    count: usize,
    size: usize,
    unit: usize,
    slack: usize,
) -> io::Result<()> {
    let mut connection = amqp::Connection::to(server)?;
    connection.subscribe(amqp::EXCHANGE, "consumed")?;
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    let mut publisher = amqp::Connection::to(server)?;
    let chunk = amqp::messages("event", size, CHUNK);
    let load = Load {
        window,
        count,
        slack,
    };
    // RabbitMQ leaves out what it has read but not handled when a connection ends.
    let publish = |is_last| {
        publisher.write(&chunk)?;
        if is_last { publisher.settle() } else { Ok(()) }
    };
    load.run(publish, |consumed| {
        connection.receive(|_| *consumed += unit)
    })
}

struct Load {
    /// The most messages on their way.
    window: usize,
    count: usize,
    /// So many may never be told of.
    slack: usize,
}

impl Load {
    /// `publish` writes a chunk, and is told which is the last; `receive` waits, and adds up what was consumed.
    fn run(
        &self,
        mut publish: impl FnMut(bool) -> io::Result<()> + Send,
        mut receive: impl FnMut(&mut usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let consumed = AtomicUsize::new(0);
        let begin = Instant::now();
        thread::scope(|scope| {
            let publishing = scope.spawn(|| {
                let mut sent = 0;
                while sent < self.count {
                    if sent >= consumed.load(Ordering::Relaxed) + self.window {
                        thread::park_timeout(STALLED);
                        continue;
                    }
                    // The counts that are asked for are multiples of this.
                    sent += CHUNK;
                    publish(sent >= self.count)?;
                }
                Ok::<_, io::Error>(())
            });
            while consumed.load(Ordering::Relaxed) + self.slack < self.count {
                let mut more = 0;
                match receive(&mut more) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    other => other?,
                }
                consumed.fetch_add(more, Ordering::Relaxed);
                publishing.thread().unpark();
            }
            let elapsed = begin.elapsed().as_nanos();
            if consumed.load(Ordering::Relaxed) + self.slack >= self.count {
                // What will not be told of has to be sent all the same.
                _ = publishing.join();
            }
            println!("{} {elapsed}", consumed.load(Ordering::Relaxed));
            // Where something was lost, the publisher may wait for it for ever.
            std::process::exit(0)
        })
    }
}
