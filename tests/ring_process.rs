//! The ring between real processes, the producer killed again and again in mid-write.
//!
//! The producer is this very program, started again with `SIPBUS_RING_PRODUCER` set.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sipbus::shm::lane::{Lane, LaneEnd};
use sipbus::shm::layout::ModulePlan;
use sipbus::shm::region::Region;
use sipbus::shm::waker::Waker;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "SIPBUS_RING_PRODUCER";
const KILLS: u64 = 300;
/// A safety net against a hang, not an assertion of speed.
const WATCHDOG: Duration = Duration::from_secs(120);

/// A frame says who wrote it, its number, and repeats that to a length that varies.
fn frame(generation: u64, number: u64) -> Vec<u8> {
    let words = 2 + usize::try_from(number * 7 % 190).unwrap();
    let text: Vec<u8> = [generation, number]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    text.iter()
        .copied()
        .cycle()
        .take(words * 8 + usize::try_from(number % 8).unwrap())
        .collect()
}

fn region_of(role: &str) -> (&'static Region, u64) {
    let (path, generation) = role.split_once(' ').unwrap();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    (
        Region::open(file.into()).unwrap(),
        generation.parse().unwrap(),
    )
}

/// Not a test of its own: the body of the producer's process.
#[test]
fn producer() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (region, generation) = region_of(&role);
    let waker = Box::leak(Box::new(Waker::new().unwrap()));
    let mut lane = Lane::attach(region, 0, 0, waker, Duration::from_secs(60)).unwrap();
    for number in 0.. {
        let frame = frame(generation, number);
        let (head, tail) = frame.split_at(frame.len() / 2);
        lane.submit(&[head, tail]).unwrap();
    }
}

#[test]
fn a_killed_producer_leaves_nothing_behind() {
    let plan = ModulePlan {
        name: "test".into(),
        lane_bytes: 1,
        inbox_bytes: 1,
        inboxes: 0,
        rows: 0,
        mailbox_bytes: 0,
    };
    let region = Region::create(1, vec![plan]).unwrap();
    let path = format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        region.fd().as_raw_fd()
    );
    let mut lane = LaneEnd::attach(region, 0, 0).unwrap();
    let watchdog = Instant::now() + WATCHDOG;
    for generation in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "producer"])
            .env(ROLE, format!("{path} {generation}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = 0;
        let mut killed = false;
        loop {
            match lane.take().unwrap() {
                Some(bytes) => {
                    assert_eq!(
                        bytes,
                        frame(generation, number),
                        "frame {number} is not whole"
                    );
                    number += 1;
                    if number % 16 == 0 {
                        lane.release(lane.cursor());
                    }
                    if !killed && number > generation % 97 {
                        child.kill().unwrap();
                        killed = true;
                    }
                }
                // What it wrote before its end is taken after it.
                None if killed && child.try_wait().unwrap().is_some() && lane.is_empty() => break,
                None => {
                    lane.release(lane.cursor());
                    std::thread::yield_now();
                }
            }
            assert!(Instant::now() < watchdog, "the ring is stuck");
        }
        child.wait().unwrap();
        lane.release(lane.cursor());
        assert!(number > generation % 97, "the producer wrote nothing");
    }
}
