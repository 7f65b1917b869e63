//! The independent subscriber.

use crate::connection::Connection;
use crate::{STALLED, amqp, now};
use std::io::{self, BufRead};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

#[derive(Default)]
struct Seen {
    count: usize,
    first: u128,
    last: u128,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    more: Condvar,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn run(server: &str, subject: &str) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    connection.subscribe(subject)?;
    report(move |each| connection.receive(|_| each()).map(|_| ()))
}

pub fn amqp(server: &str, key: &str) -> io::Result<()> {
    let mut connection = amqp::Connection::to(server)?;
    connection.subscribe(amqp::EXCHANGE, key)?;
    report(move |each| connection.receive(|_| each()))
}

/// `receive` waits for messages and calls what it is given for each.
fn report(mut receive: impl FnMut(&mut dyn FnMut()) -> io::Result<()> + Send) -> io::Result<()> {
    let shared = Shared::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Ends with the connection, at the latest with the process.
            while note(&mut receive, &shared).is_ok() {}
        });
        println!("ready");
        for line in io::stdin().lock().lines() {
            let wanted = line?.trim().parse().map_err(io::Error::other)?;
            let Seen { count, first, last } = wait(&shared, wanted);
            println!("{count} {first} {last}");
        }
        // Standard input was closed: that is the end, whatever the server still sends.
        std::process::exit(0)
    })
}

fn note(
    receive: &mut impl FnMut(&mut dyn FnMut()) -> io::Result<()>,
    shared: &Shared,
) -> io::Result<()> {
    let mut arrived = 0;
    receive(&mut || arrived += 1)?;
    if arrived > 0 {
        let mut seen = shared.seen();
        let now = now();
        if seen.count == 0 {
            seen.first = now;
        }
        seen.last = now;
        seen.count += arrived;
        shared.more.notify_one();
    }
    Ok(())
}

/// Takes what was seen, when it is `wanted` messages or when no more come.
fn wait(shared: &Shared, wanted: usize) -> Seen {
    let mut seen = shared.seen();
    while seen.count < wanted {
        let before = seen.count;
        let waited = shared.more.wait_timeout(seen, STALLED);
        seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        if seen.count == before {
            break;
        }
    }
    std::mem::take(&mut *seen)
}
