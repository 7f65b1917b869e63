//! Clients that read, and count what each of them gets.

use super::{Client, SHORT};
use crate::{STALLED, now};
use std::io::{self, BufRead};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

#[derive(Default)]
struct Seen {
    /// Of each client.
    counts: Vec<usize>,
    wanted: usize,
    first: u128,
    last: u128,
}

impl Seen {
    fn all(&self) -> bool {
        self.counts.iter().all(|count| *count >= self.wanted)
    }
}

struct Shared {
    seen: Mutex<Seen>,
    complete: Condvar,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn run(address: &str, clients: usize) -> io::Result<()> {
    let shared = Shared {
        seen: Mutex::new(Seen {
            counts: vec![0; clients],
            wanted: usize::MAX,
            ..Seen::default()
        }),
        complete: Condvar::new(),
    };
    let connected = Client::several(address, clients)?;
    thread::scope(|scope| {
        for (number, mut client) in connected.into_iter().enumerate() {
            let shared = &shared;
            scope.spawn(move || {
                // Ends with the connection, at the latest with the process.
                while receive(&mut client, number, shared).is_ok() {}
            });
        }
        println!("ready");
        for line in io::stdin().lock().lines() {
            let wanted = line?.trim().parse().map_err(io::Error::other)?;
            let seen = wait(&shared, wanted);
            let least = seen.counts.iter().min().unwrap_or(&0);
            let total: usize = seen.counts.iter().sum();
            println!("{least} {total} {} {}", seen.first, seen.last);
        }
        // Standard input was closed: that is the end, whatever Kamailio still sends.
        std::process::exit(0)
    })
}

fn receive(client: &mut Client, number: usize, shared: &Shared) -> io::Result<()> {
    let mut arrived = 0;
    client.receive(|frame| arrived += usize::from(frame.len() >= SHORT))?;
    if arrived > 0 {
        let mut seen = shared.seen();
        seen.last = now();
        if seen.first == 0 {
            seen.first = seen.last;
        }
        seen.counts[number] += arrived;
        if seen.all() {
            shared.complete.notify_one();
        }
    }
    Ok(())
}

/// Takes what was seen, when it is `wanted` frames for each or when no more come.
fn wait(shared: &Shared, wanted: usize) -> Seen {
    let mut seen = shared.seen();
    seen.wanted = wanted;
    while !seen.all() {
        let before: usize = seen.counts.iter().sum();
        let waited = shared.complete.wait_timeout(seen, STALLED);
        seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        if seen.counts.iter().sum::<usize>() == before {
            break;
        }
    }
    let empty = Seen {
        counts: vec![0; seen.counts.len()],
        wanted: usize::MAX,
        ..Seen::default()
    };
    std::mem::replace(&mut *seen, empty)
}
