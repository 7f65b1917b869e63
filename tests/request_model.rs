//! What operators ask and what the engine answers, in every interleaving that memory order allows,
//! by loom. That a futex sleeps only while its word is what it was is the kernel's to promise.
//!
//! No model can tell whether `answered` is stored with Release and read with Acquire: the fences of
//! the text that goes with it order the same.
//!
//! Run by `make test-model`.
#![cfg(sipbus_loom)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use sipbus::shm::request::Request;

/// Does something and asks; the answer, once it is there, knows of what was done.
fn ask(request: &'static Request, done: &AtomicU32) -> impl Fn() -> bool {
    // Relaxed: what was done before a question is seen with the question.
    let own = done.fetch_add(1, Ordering::Relaxed) + 1;
    let number = request.ask();
    move || {
        let answer = request.answer_to(number);
        answer.is_ok_and(|seen| {
            assert!(seen.parse::<u32>().unwrap() >= own);
            true
        })
    }
}

/// Answers with what was done, if a question is open.
fn answer(request: &Request, done: &AtomicU32) -> bool {
    let Some(number) = request.open() else {
        return false;
    };
    let seen = done.load(Ordering::Relaxed);
    request.answer(number, &seen.to_string());
    true
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

fn leaked() -> (&'static Request, &'static AtomicU32) {
    let done = AtomicU32::new(0);
    (
        Box::leak(Box::new(Request::model())),
        Box::leak(Box::new(done)),
    )
}

#[test]
fn an_answer_is_no_older_than_its_question() {
    loom::model(|| {
        let (request, done) = leaked();
        let engine = thread::spawn(move || until(|| answer(request, done)));
        until(ask(request, done));
        engine.join().unwrap();
        assert_eq!(request.open(), None);
    });
}

#[test]
fn who_asks_again_gets_a_new_answer() {
    loom::model(|| {
        let (request, done) = leaked();
        let engine = thread::spawn(move || {
            until(|| answer(request, done));
            until(|| answer(request, done));
        });
        until(ask(request, done));
        until(ask(request, done));
        engine.join().unwrap();
        assert_eq!(request.open(), None);
    });
}

#[test]
fn one_answer_is_for_all_who_asked_before() {
    loom::model(|| {
        let (request, done) = leaked();
        let askers = [(); 2].map(|()| {
            thread::spawn(move || {
                let is_answered = ask(request, done);
                is_answered();
                is_answered
            })
        });
        answer(request, done);
        answer(request, done);
        let answered = askers.map(|asker| asker.join().unwrap());
        answer(request, done);
        assert!(answered.iter().all(|is_answered| is_answered()));
        assert_eq!(request.open(), None);
    });
}
