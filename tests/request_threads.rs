//! What operators ask of a connector and what it answers, with many who ask side by side. Threads share
//! it as processes do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sipbus::shm::layout::ModulePlan;
use sipbus::shm::region::Region;
use sipbus::shm::request::Request;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ASKERS: usize = 4;
const ROUNDS: u64 = 2_000;

/// Nobody waits so long, unless an answer is lost.
const LIMIT: Duration = Duration::from_secs(60);

fn request() -> &'static Request {
    let plan = ModulePlan {
        name: "test".into(),
        lane_bytes: 1,
        inbox_bytes: 1,
        inboxes: 0,
        rows: 0,
        mailbox_bytes: 0,
    };
    &Region::create(1, vec![plan]).unwrap().module(0).renewal
}

#[test]
fn nothing_is_open_before_somebody_asks_and_after_the_answer() {
    let request = request();
    assert_eq!(request.open(), None);
    let number = request.ask();
    assert_eq!(request.open(), Some(number));
    request.answer(number, "why");
    assert_eq!(request.open(), None);
    let answer = request.wait(number, Instant::now());
    assert_eq!(answer.as_deref(), Some("why"));
}

#[test]
fn one_answer_is_for_all_before_and_for_none_behind() {
    let request = request();
    let [first, second, third] = [(); 3].map(|()| request.ask());
    request.answer(second, "");
    for number in [first, second] {
        let answer = request.wait(number, Instant::now());
        assert_eq!(answer.as_deref(), Some(""));
    }
    assert_eq!(request.wait(third, Instant::now()), None);
    assert_eq!(request.open(), Some(third));
}

/// Each says how far it is, then asks; the engine answers with what it saw.
#[test]
fn an_answer_is_no_older_than_its_question() {
    let request = request();
    let (said, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                match request.open() {
                    Some(number) => {
                        // Relaxed: what was said before a question is seen with the question.
                        let seen = said.load(Ordering::Relaxed);
                        request.answer(number, &seen.to_string());
                    }
                    None => thread::yield_now(),
                }
            }
        });
        let ask = || {
            for _ in 0..ROUNDS {
                let own = said.fetch_add(1, Ordering::Relaxed) + 1;
                let number = request.ask();
                let answer = request.wait(number, Instant::now() + LIMIT).unwrap();
                assert!(answer.parse::<u64>().unwrap() >= own);
            }
        };
        let askers = [(); ASKERS].map(|()| scope.spawn(ask));
        let ended = askers.map(|asker| asker.join().is_ok());
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(ended, [true; ASKERS]);
    });
}
