//! Every interleaving of a Kamailio process and the engine at a lane, the rule for a full one included, by loom.
//!
//! Run by `make test-model`. The lane has room for two frames, so that it is full at once.
#![cfg(sipbus_loom)]

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use sipbus::shm::doorbell::Doorbell;
use sipbus::shm::lane::{Lane, LaneEnd, Refusal};
use sipbus::shm::ring::{Position, Ring};
use sipbus::shm::store::Store;
use sipbus::shm::waker::Waker;
use std::sync::Once;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// With at most three preemptions: sleepers that look again and again would make it endless otherwise.
fn check(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Both ends, the doorbell and what wakes the engine.
fn ends(wait: Duration) -> (Lane, LaneEnd, &'static Doorbell, &'static Waker) {
    ends_at(leak(Doorbell::new()), wait)
}

/// The same, with the doorbell where the caller waits for room.
fn ends_at(
    room: &'static Doorbell,
    wait: Duration,
) -> (Lane, LaneEnd, &'static Doorbell, &'static Waker) {
    let (bell, waker) = (leak(Doorbell::new()), leak(Waker::model()));
    let ring = Ring::new(
        leak(Position::new()),
        leak(Position::new()),
        Store::model(32),
    );
    let lane = Lane::new(ring.clone(), room, bell, waker, wait);
    (lane, LaneEnd::new(ring, room), bell, waker)
}

/// Takes a frame as the engine does: it sleeps where there is none.
fn next(end: &mut LaneEnd, bell: &Doorbell, waker: &Waker) -> u8 {
    loop {
        if let Some(frame) = end.take().unwrap() {
            return frame[0];
        }
        let _sleep = bell.asleep();
        if end.is_empty() {
            waker.wait();
        }
        bell.awake();
    }
}

/// loom fails if the engine sleeps for ever beside a frame.
#[test]
fn a_frame_wakes_the_engine() {
    check(|| {
        let (mut lane, mut end, bell, waker) = ends(Duration::ZERO);
        let sender = thread::spawn(move || {
            lane.submit(&[&[1; 8]]).unwrap();
            lane.submit(&[&[2; 8]]).unwrap();
        });
        assert_eq!(next(&mut end, bell, waker), 1);
        assert_eq!(next(&mut end, bell, waker), 2);
        sender.join().unwrap();
    });
}

/// loom fails if the caller waits for ever for room that was made.
#[test]
fn room_wakes_who_waits_for_it() {
    check(|| {
        let (mut lane, mut end, bell, waker) = ends(DAY);
        lane.submit(&[&[1; 8]]).unwrap();
        lane.submit(&[&[2; 8]]).unwrap();
        let sender = thread::spawn(move || lane.submit(&[&[3; 8]]));
        for expected in 1..=3 {
            assert_eq!(next(&mut end, bell, waker), expected);
            end.release(end.cursor());
        }
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

/// Whenever the wait is over: what was refused does not come, what was accepted does, in order.
#[test]
fn a_full_lane_refuses_or_accepts_and_nothing_between() {
    check(|| {
        let (mut lane, mut end, _, _) = ends(Duration::ZERO);
        lane.submit(&[&[1; 8]]).unwrap();
        lane.submit(&[&[2; 8]]).unwrap();
        let sender = thread::spawn(move || lane.submit(&[&[3; 8]]));
        assert_eq!(end.take().unwrap().unwrap(), [1; 8]);
        end.release(end.cursor());
        let accepted = sender.join().unwrap();
        assert_eq!(end.take().unwrap().unwrap(), [2; 8]);
        match accepted {
            Ok(()) => assert_eq!(end.take().unwrap().unwrap(), [3; 8]),
            Err(refusal) => assert_eq!(refusal, Refusal::Full),
        }
        assert_eq!(end.take().unwrap(), None);
    });
}

/// A wait in vain is not repeated until something was drained; then a wait is worth it again.
#[test]
fn a_refusal_ends_with_the_next_release() {
    check(|| {
        let (mut lane, mut end, _, _) = ends(Duration::ZERO);
        lane.submit(&[&[1; 8]]).unwrap();
        lane.submit(&[&[2; 8]]).unwrap();
        assert_eq!(lane.submit(&[&[3; 8]]), Err(Refusal::Full));
        let engine = thread::spawn(move || {
            assert_eq!(end.take().unwrap().unwrap(), [1; 8]);
            end.release(end.cursor());
        });
        let meanwhile = lane.submit(&[&[3; 8]]);
        engine.join().unwrap();
        if meanwhile.is_err() {
            assert_eq!(lane.submit(&[&[3; 8]]), Ok(()));
        }
    });
}

/// A lane that is full, and what says when the caller begins what is looked at.
fn full(room: &'static Doorbell) -> (Lane, LaneEnd, &'static AtomicBool) {
    let (mut lane, end, _, _) = ends_at(room, Duration::ZERO);
    lane.submit(&[&[1; 8]]).unwrap();
    lane.submit(&[&[2; 8]]).unwrap();
    (lane, end, leak(AtomicBool::new(false)))
}

/// Who has waited in vain is not found asleep again, as long as nothing was drained.
#[test]
fn a_wait_in_vain_is_not_repeated() {
    check(|| {
        let room = leak(Doorbell::new());
        let (mut lane, _end, begins) = full(room);
        let caller = thread::spawn(move || {
            assert_eq!(lane.submit(&[&[3; 8]]), Err(Refusal::Full));
            begins.store(true, Ordering::Release);
            assert_eq!(lane.submit(&[&[3; 8]]), Err(Refusal::Full));
        });
        while !begins.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let rung = room.ring(|_| panic!("the caller sleeps again"));
        assert_eq!(rung, Ok(()));
        caller.join().unwrap();
    });
}

/// Once something was drained, who finds the lane full again waits again: in one of the interleavings,
/// if not in all.
#[test]
fn a_wait_is_worth_it_after_a_release() {
    static FOUND_ASLEEP: Once = Once::new();
    check(|| {
        let room = leak(Doorbell::new());
        let (mut lane, mut end, begins) = full(room);
        let caller = thread::spawn(move || {
            assert_eq!(lane.submit(&[&[3; 8]]), Err(Refusal::Full));
            assert_eq!(end.take().unwrap().unwrap(), [1; 8]);
            end.release(end.cursor());
            lane.submit(&[&[3; 8]]).unwrap();
            begins.store(true, Ordering::Release);
            assert_eq!(lane.submit(&[&[4; 8]]), Err(Refusal::Full));
        });
        while !begins.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let rung = room.ring(|_| FOUND_ASLEEP.call_once(|| {}));
        assert_eq!(rung, Ok(()));
        caller.join().unwrap();
    });
    assert!(FOUND_ASLEEP.is_completed());
}

/// Accepted means seen: by the engine that takes what is there after it closed.
#[test]
fn nothing_accepted_is_left_in_a_closed_lane() {
    check(|| {
        let (mut lane, mut end, bell, _) = ends(DAY);
        let sender = thread::spawn(move || {
            let first = lane.submit(&[&[1; 8]]);
            (first, lane.submit(&[&[2; 8]]))
        });
        bell.close();
        let mut seen = 0;
        while end.take().unwrap().is_some() {
            seen += 1;
        }
        let (first, second) = sender.join().unwrap();
        let accepted = usize::from(first.is_ok()) + usize::from(second.is_ok());
        assert!(seen >= accepted, "{seen} of {accepted}");
    });
}
