//! The table of subscriptions with writers side by side, while one reads. Threads share it as processes
//! do; that it is one between processes is seen by `tests/it/events`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sipbus::shm::registry::{Expiry, Refusal, Registry, count};
use std::thread;

const WRITERS: u64 = 4;
const ROUNDS: u64 = 20_000;

/// A socket that says which event it belongs to, of a length that varies.
fn socket(event: u64) -> Vec<u8> {
    let text = format!("socket-of-{event}-");
    let len = 20 + usize::try_from(event * 37 % 900).unwrap();
    text.bytes().cycle().take(len).collect()
}

fn name(event: u64) -> Vec<u8> {
    format!("event-{event}").into_bytes()
}

#[test]
fn what_is_read_is_whole_and_there_once() {
    let registry = Registry::create(8).unwrap();
    let registry = &registry;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let event = (round * (writer + 1)) % 12;
                    let (name, socket) = (name(event), socket(event));
                    if round % 3 == 2 {
                        registry.unsubscribe(&name, &socket, 1);
                    } else {
                        // It may be full: there are more events than lines.
                        _ = registry.subscribe(&name, &socket, Expiry::NEVER, 1);
                    }
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                let entries = registry.entries(1);
                for (at, entry) in entries.iter().enumerate() {
                    let event = String::from_utf8(entry.event.clone()).unwrap();
                    let number = event.strip_prefix("event-").unwrap().parse().unwrap();
                    assert_eq!(entry.socket, socket(number));
                    assert!(!entries[..at].iter().any(|other| other.event == entry.event));
                    registry.count(entry.place, count::SENT);
                }
            }
        });
    });
    for event in 0..12 {
        registry.unsubscribe(&name(event), &socket(event), 1);
    }
    assert_eq!(registry.entries(1), []);
    // No line was lost.
    for event in 0..8 {
        assert_eq!(
            registry.subscribe(&name(event), b"", Expiry::NEVER, 1),
            Ok(true)
        );
    }
    let full = registry.subscribe(b"one more", b"", Expiry::NEVER, 1);
    assert_eq!(full, Err(Refusal::Full));
}

#[test]
fn time_decides_what_is_there() {
    let registry = Registry::create(1).unwrap();
    let until = |at| Expiry { at, seconds: 5 };
    assert_eq!(registry.subscribe(b"e", b"s", until(10), 5), Ok(true));
    assert_eq!(registry.entries(10).len(), 1);
    assert_eq!(registry.entries(11), []);
    // Refreshed before the end it is the same, after it is new; its line can be had by another.
    assert_eq!(registry.subscribe(b"e", b"s", until(15), 10), Ok(false));
    assert_eq!(
        registry.subscribe(b"f", b"s", until(20), 15),
        Err(Refusal::Full)
    );
    assert_eq!(registry.subscribe(b"f", b"s", until(20), 16), Ok(true));
    assert_eq!(registry.entries(16)[0].event, b"f");
    assert!(!registry.unsubscribe(b"e", b"s", 16));
    assert!(registry.unsubscribe(b"f", b"s", 16));
}

#[test]
fn counters_belong_to_one_life_of_a_line() {
    let registry = Registry::create(1).unwrap();
    registry.subscribe(b"e", b"s", Expiry::NEVER, 1).unwrap();
    let place = registry.place(b"e", b"s", 1).unwrap();
    registry.count(place, count::SENT);
    assert_eq!(registry.entries(1)[0].counts, [1, 0]);
    registry.unsubscribe(b"e", b"s", 1);
    registry.subscribe(b"e", b"s", Expiry::NEVER, 1).unwrap();
    registry.count(place, count::SENT);
    assert_eq!(registry.entries(1)[0].counts, [0, 0]);
}

#[test]
fn what_is_too_long_is_refused() {
    let registry = Registry::create(1).unwrap();
    let (long, fits) = ([b'x'; 1025], [b'x'; 1024]);
    let refused = Err(Refusal::TooLong);
    assert_eq!(
        registry.subscribe(&[b'x'; 129], b"", Expiry::NEVER, 1),
        refused
    );
    assert_eq!(registry.subscribe(b"e", &long, Expiry::NEVER, 1), refused);
    assert_eq!(registry.subscribe(b"e", &fits, Expiry::NEVER, 1), Ok(true));
    assert_eq!(registry.entries(1)[0].socket, fits);
}

#[test]
fn every_change_has_a_version() {
    let registry = Registry::create(1).unwrap();
    let mut seen = vec![registry.version()];
    let mut changed = |registry: &Registry| {
        let now = registry.version();
        assert!(!seen.contains(&now));
        seen.push(now);
    };
    registry.subscribe(b"e", b"s", Expiry::NEVER, 1).unwrap();
    changed(&registry);
    registry.subscribe(b"e", b"s", Expiry::NEVER, 1).unwrap();
    changed(&registry);
    registry.unsubscribe(b"e", b"s", 1);
    changed(&registry);
}
