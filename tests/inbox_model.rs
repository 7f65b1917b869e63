//! Every interleaving of the engine and an event worker at an inbox, a full one included, by loom.
//!
//! Run by `make test-model`. The inbox has room for two events, so that it is full at once.
#![cfg(sipbus_loom)]

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use sipbus::shm::counter::Counter;
use sipbus::shm::doorbell::Doorbell;
use sipbus::shm::inbox::{Inbox, InboxEnd, Words};
use sipbus::shm::ring::{Position, Ring};
use sipbus::shm::store::Store;
use sipbus::shm::waker::Waker;

/// With at most three preemptions: sleepers that look again and again would make it endless otherwise.
fn check(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn ends() -> (InboxEnd, Inbox, &'static Waker) {
    let words = Words {
        bell: leak(Doorbell::new()),
        room: leak(Doorbell::new()),
        process: leak(Counter::model()),
        pace: leak(Counter::model()),
        notice: leak(Counter::model()),
    };
    let waker = leak(Waker::model());
    let ring = Ring::new(
        leak(Position::new()),
        leak(Position::new()),
        Store::model(32),
    );
    (
        InboxEnd::new(ring.clone(), words),
        Inbox::new(ring, words, waker),
        waker,
    )
}

fn handle(worker: &mut Inbox, expected: u8) {
    assert_eq!(worker.wait().unwrap(), [expected; 8]);
    worker.done();
}

/// loom fails if the worker waits for ever beside an event.
#[test]
fn an_event_wakes_the_worker() {
    check(|| {
        let (mut end, mut worker, _) = ends();
        let engine = thread::spawn(move || {
            end.stage(&[&[1; 8]]).unwrap();
            end.deliver();
        });
        handle(&mut worker, 1);
        engine.join().unwrap();
    });
}

/// loom fails if the engine waits for ever for room that was made.
#[test]
fn room_wakes_the_engine() {
    check(|| {
        let (mut end, mut worker, waker) = ends();
        for event in [1, 2] {
            end.stage(&[&[event; 8]]).unwrap();
        }
        end.deliver();
        let handler = thread::spawn(move || {
            handle(&mut worker, 1);
            handle(&mut worker, 2);
            worker
        });
        while end.stage(&[&[3; 8]]).is_err() {
            end.want_room();
            if !end.fits(8) {
                waker.wait();
            }
        }
        end.deliver();
        let mut worker = handler.join().unwrap();
        handle(&mut worker, 3);
    });
}

/// The engine that waited for all, and then for room, is woken by the first room: what it waits for is
/// said before its sleep, or a worker would still go by the old.
#[test]
fn room_wakes_an_engine_that_waited_for_more() {
    check(|| {
        let (mut end, mut worker, waker) = ends();
        for event in [1, 2] {
            end.stage(&[&[event; 8]]).unwrap();
        }
        end.want_handled(end.position());
        end.deliver();
        let handler = thread::spawn(move || {
            handle(&mut worker, 1);
            worker
        });
        while end.stage(&[&[3; 8]]).is_err() {
            end.want_room();
            if !end.fits(8) {
                waker.wait();
            }
        }
        end.deliver();
        let mut worker = handler.join().unwrap();
        handle(&mut worker, 2);
        handle(&mut worker, 3);
    });
}

/// The engine that waits until an event was handled is woken by that, and sees it.
#[test]
fn what_was_handled_is_told_once_it_is_asked_for() {
    check(|| {
        let (mut end, mut worker, waker) = ends();
        for event in [1, 2] {
            end.stage(&[&[event; 8]]).unwrap();
        }
        let all = end.position();
        end.deliver();
        let handler = thread::spawn(move || {
            handle(&mut worker, 1);
            handle(&mut worker, 2);
        });
        while end.released() < all {
            end.want_handled(all);
            if end.released() < all {
                waker.wait();
            }
        }
        handler.join().unwrap();
    });
}

/// What the worker submitted before it ended an event is seen by who sees that end.
#[test]
fn what_the_worker_submitted_is_seen_with_the_release() {
    check(|| {
        let (mut end, mut worker, _) = ends();
        let submitted = Arc::new(AtomicBool::new(false));
        end.stage(&[&[1; 8]]).unwrap();
        end.deliver();
        let handler = {
            let submitted = Arc::clone(&submitted);
            thread::spawn(move || {
                assert_eq!(worker.wait().unwrap(), [1; 8]);
                submitted.store(true, Ordering::Relaxed);
                worker.done();
            })
        };
        if end.released() == end.position() {
            assert!(submitted.load(Ordering::Relaxed));
        }
        handler.join().unwrap();
    });
}
