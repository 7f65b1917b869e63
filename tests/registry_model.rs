//! The table of subscriptions under every interleaving that memory order allows, by loom: two
//! processes, two lines, names of one byte.
#![cfg(sipbus_loom)]

use loom::model::Builder;
use loom::thread;
use sipbus::shm::registry::{Expiry, Registry};

const NOW: u64 = 1;

/// Three switches at the worst moments: more take hours.
fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

fn leaked(rows: usize) -> &'static Registry {
    Box::leak(Box::new(Registry::model(rows)))
}

fn subscribe(registry: &Registry, event: &[u8], socket: &[u8]) {
    registry
        .subscribe(event, socket, Expiry::NEVER, NOW)
        .unwrap();
}

fn shown(registry: &Registry) -> Vec<(Vec<u8>, Vec<u8>)> {
    let entries = registry.entries(NOW).into_iter();
    entries.map(|entry| (entry.event, entry.socket)).collect()
}

#[test]
fn what_two_processes_subscribe_is_there_once() {
    model(|| {
        let registry = leaked(2);
        let other = thread::spawn(move || subscribe(registry, b"e", b"s"));
        subscribe(registry, b"e", b"s");
        other.join().unwrap();
        assert_eq!(shown(registry), [(b"e".to_vec(), b"s".to_vec())]);
        // In one line: the other one is free.
        subscribe(registry, b"1", b"s");
        assert!(registry.unsubscribe(b"e", b"s", NOW));
        assert_eq!(shown(registry), [(b"1".to_vec(), b"s".to_vec())]);
        subscribe(registry, b"2", b"s");
        assert_eq!(shown(registry).len(), 2);
    });
}

#[test]
fn different_subscriptions_take_different_lines() {
    model(|| {
        let registry = leaked(2);
        let other = thread::spawn(move || subscribe(registry, b"a", b"s"));
        subscribe(registry, b"b", b"s");
        other.join().unwrap();
        assert_eq!(shown(registry).len(), 2);
    });
}

#[test]
fn nobody_reads_half_of_one_and_half_of_another() {
    model(|| {
        let registry = leaked(1);
        subscribe(registry, b"a", b"1");
        // The reader is the thread: loom switches by the last access to an atomic only, and the
        // writer reads before it writes. As the thread, it would be run behind the reader and never amid.
        let reader = thread::spawn(move || {
            for (event, socket) in shown(registry) {
                assert!(event == b"a" && socket == b"1" || event == b"b" && socket == b"2");
            }
        });
        registry.unsubscribe(b"a", b"1", NOW);
        subscribe(registry, b"b", b"2");
        reader.join().unwrap();
        assert_eq!(shown(registry), [(b"b".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn what_is_refreshed_is_not_swept_away_as_expired() {
    model(|| {
        let registry = leaked(2);
        let expiry = |at| Expiry { at, seconds: 1 };
        registry.subscribe(b"a", b"1", expiry(NOW), NOW).unwrap();
        // One process still finds it there, another already claims its line for something else.
        let other = thread::spawn(move || {
            registry.subscribe(b"b", b"2", expiry(9), NOW + 1).unwrap();
        });
        registry.subscribe(b"a", b"1", expiry(9), NOW).unwrap();
        other.join().unwrap();
        assert_eq!(registry.entries(NOW + 1).len(), 2);
    });
}
