//! Every interleaving that memory order allows, by loom. Small and complete: two threads, a ring of
//! 64 bytes, so that wrap-around and a full ring come up at once.
//!
//! Run by `make test-model`, without a bound on preemptions: the whole takes a tenth of a second.
#![cfg(sipbus_loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use sipbus::shm::doorbell::Doorbell;
use sipbus::shm::ring::{Consumer, Position, Producer, Ring};
use sipbus::shm::store::Store;

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Room for four frames of 8 bytes.
fn ring() -> Ring {
    Ring::new(
        leak(Position::new()),
        leak(Position::new()),
        Store::model(64),
    )
}

#[test]
fn frames_arrive_whole_and_in_order() {
    loom::model(|| {
        let ring = ring();
        let mut producer = Producer::attach(ring.clone());
        let sender = thread::spawn(move || {
            let mut sent = 0_u8;
            for round in 0..3_u8 {
                if producer.push(&[&[round], &[round; 7]]).is_ok() {
                    sent += 1;
                }
            }
            sent
        });
        let mut consumer = Consumer::attach(ring.clone());
        let mut got = 0_u8;
        for _ in 0..3 {
            if let Some(frame) = consumer.take().unwrap() {
                assert_eq!(frame, [got; 8]);
                got += 1;
                consumer.release(consumer.cursor());
            }
        }
        let sent = sender.join().unwrap();
        while let Some(frame) = consumer.take().unwrap() {
            assert_eq!(frame, [got; 8]);
            got += 1;
        }
        assert_eq!(got, sent);
    });
}

#[test]
fn room_is_reused_only_after_its_release() {
    loom::model(|| {
        let ring = ring();
        let mut producer = Producer::attach(ring.clone());
        for round in 0..4_u8 {
            producer.push(&[&[round; 8]]).unwrap();
        }
        let mut consumer = Consumer::attach(ring.clone());
        let sender = thread::spawn(move || producer.push(&[&[9; 8]]).is_ok());
        assert_eq!(consumer.take().unwrap().unwrap(), [0; 8]);
        consumer.release(consumer.cursor());
        let fitted = sender.join().unwrap();
        for round in 1..4 {
            assert_eq!(consumer.take().unwrap().unwrap(), [round; 8]);
        }
        assert_eq!(consumer.take().unwrap().is_some(), fitted);
    });
}

/// As above, by a process that comes when there may be room already.
#[test]
fn who_attaches_writes_only_where_it_was_released() {
    loom::model(|| {
        let ring = ring();
        let mut producer = Producer::attach(ring.clone());
        for round in 0..4_u8 {
            producer.push(&[&[round; 8]]).unwrap();
        }
        let mut consumer = Consumer::attach(ring.clone());
        let sender = thread::spawn(move || Producer::attach(ring).push(&[&[9; 8]]).is_ok());
        assert_eq!(consumer.take().unwrap().unwrap(), [0; 8]);
        consumer.release(consumer.cursor());
        sender.join().unwrap();
    });
}

#[test]
fn a_staged_frame_is_not_seen() {
    loom::model(|| {
        let ring = ring();
        let mut producer = Producer::attach(ring.clone());
        let sender = thread::spawn(move || {
            producer.stage(&[&[1; 8]]).unwrap();
            // Killed here: the frame was never shown, and the next producer writes over it.
        });
        let mut consumer = Consumer::attach(ring.clone());
        assert_eq!(consumer.take().unwrap(), None);
        sender.join().unwrap();
        assert_eq!(consumer.take().unwrap(), None);
    });
}

/// The sleeper waits for as long as nobody wakes it: loom fails if that is for ever.
#[test]
fn no_wake_up_is_lost() {
    loom::model(|| {
        let bell = Arc::new(Doorbell::new());
        let work = Arc::new(AtomicBool::new(false));
        let woken = Arc::new(loom::sync::Notify::new());
        let ringer = {
            let (bell, work, woken) = (Arc::clone(&bell), Arc::clone(&work), Arc::clone(&woken));
            thread::spawn(move || {
                work.store(true, Ordering::Release);
                bell.ring(|_| woken.notify()).unwrap();
            })
        };
        let _sleep = bell.asleep();
        // A waiter may wake for no reason: it looks again.
        while !work.load(Ordering::Acquire) {
            woken.wait();
        }
        bell.awake();
        ringer.join().unwrap();
    });
}

/// A ringer that is slow to take the announcement back must not take back the next one.
#[test]
fn a_late_ringer_does_not_silence_the_next_sleep() {
    loom::model(|| {
        let bell = Arc::new(Doorbell::new());
        let first = bell.asleep();
        let late = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || bell.ring(|_| {}).unwrap())
        };
        if !bell.sleeps(first) {
            bell.awake();
            let second = bell.asleep();
            late.join().unwrap();
            bell.ring(|_| {}).unwrap();
            assert!(!bell.sleeps(second), "the second announcement was lost");
        } else {
            late.join().unwrap();
        }
    });
}

/// Accepted means seen: work published before the close is taken, or its producer is told.
#[test]
fn nothing_accepted_is_left_behind_a_closed_door() {
    loom::model(|| {
        let ring = ring();
        let bell = Arc::new(Doorbell::new());
        let mut producer = Producer::attach(ring.clone());
        let sender = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || {
                producer.push(&[&[1; 8]]).unwrap();
                bell.ring(|_| {}).is_ok()
            })
        };
        let mut consumer = Consumer::attach(ring.clone());
        bell.close();
        let seen = !consumer.is_empty();
        let accepted = sender.join().unwrap();
        assert!(seen || !accepted);
    });
}
