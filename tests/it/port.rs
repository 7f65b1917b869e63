//! Free loopback ports, which stay free until the server binds them.
//!
//! They lie below the kernel's own range for outgoing connections. Each test process has blocks of them
//! to itself. And looking at one opens no socket: a child that another test has just forked would hold it
//! until it runs its own program, and the server would find its port in use.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

const FIRST: u16 = 20_000;
const BLOCKS: u16 = 120;
const BLOCK: u16 = 100;

/// What this process has to itself; the last one has ports left.
static CLAIMED: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// A row of ports. Its first one is held as long as this process lives: so no other has the same.
struct Block {
    _held: TcpListener,
    rest: Range<u16>,
}

impl Block {
    fn claim() -> Self {
        // Each test process starts elsewhere, so that two running at once seldom meet.
        let start = std::process::id() % u32::from(BLOCKS);
        let start = u16::try_from(start).unwrap();
        (0..BLOCKS)
            .map(|index| FIRST + (start + index) % BLOCKS * BLOCK)
            .find_map(|first| {
                let held = TcpListener::bind(("127.0.0.1", first)).ok()?;
                let rest = first + 1..first + BLOCK;
                Some(Self { _held: held, rest })
            })
            .unwrap_or_else(|| panic!("no free ports from {FIRST} on"))
    }
}

/// A loopback port that is free for UDP and TCP, and was not given out before by this process.
pub(crate) fn free() -> u16 {
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let left = claimed.last_mut();
        if let Some(port) = left.and_then(|block| first_free(&mut block.rest)) {
            return port;
        }
        claimed.push(Block::claim());
    }
}

/// The first of these ports that is free for UDP and TCP.
pub(crate) fn first_free(ports: &mut Range<u16>) -> Option<u16> {
    let taken = taken();
    ports.find(|port| !taken.contains(port))
}

/// The local ports of all sockets.
fn taken() -> HashSet<u16> {
    let tables = ["tcp", "tcp6", "udp", "udp6"]
        .map(|name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let local = |row: &str| {
        let (_, port) = row.split_whitespace().nth(1)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(local).collect()
}
