//! Every interleaving of a waiter that gives up, an answer, and the next wait, by loom.
//!
//! Run by `make test-model`.
#![cfg(sipbus_loom)]

use loom::thread;
use sipbus::shm::mailbox::{Delivery, Mailbox, MailboxEnd, MailboxHeader, Outcome};
use sipbus::shm::store::Store;

fn ends() -> (Mailbox, MailboxEnd) {
    let header: &'static MailboxHeader = Box::leak(Box::new(MailboxHeader::new()));
    let store = Store::model(8);
    (
        Mailbox::attach(header, store.clone()),
        MailboxEnd::attach(header, store),
    )
}

fn filled(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Filled(bytes) => {
            assert_eq!(bytes, [7; 4]);
            true
        }
        Outcome::Failed(_) => panic!("nobody failed it"),
        Outcome::Timeout => false,
    }
}

/// The engine's word about an answer and what the waiter got are the same.
#[test]
fn an_answer_is_delivered_or_late() {
    loom::model(|| {
        let (mut mailbox, end) = ends();
        let generation = mailbox.open().unwrap();
        let engine = thread::spawn(move || end.fill(generation, &[&[7; 2], &[7; 2]]));
        let outcome = mailbox.give_up();
        let delivery = engine.join().unwrap();
        let outcome = outcome.or_else(|| mailbox.outcome()).unwrap();
        let expected = if filled(outcome) {
            Delivery::Done
        } else {
            Delivery::Late
        };
        assert_eq!(delivery, expected);
    });
}

/// A waiter that asks again never gets the answer to what it asked before.
#[test]
fn a_late_answer_does_not_reach_the_next_wait() {
    loom::model(|| {
        let (mut mailbox, end) = ends();
        let first = mailbox.open().unwrap();
        let engine = thread::spawn(move || end.fill(first, &[&[9; 4]]));
        let gave_up = mailbox.give_up() == Some(Outcome::Timeout);
        // While it is being filled nobody can open it.
        let second = if gave_up { mailbox.open() } else { None };
        let delivery = engine.join().unwrap();
        if let Some(second) = second {
            assert_ne!(first, second);
            assert_eq!(delivery, Delivery::Late);
            assert_eq!(mailbox.outcome(), None);
        }
    });
}

/// The bytes of one answer may be overwritten as soon as the next wait is open.
#[test]
fn two_answers_do_not_mix() {
    loom::model(|| {
        let (mut mailbox, end) = ends();
        let first = mailbox.open().unwrap();
        assert_eq!(end.fill(first, &[&[1; 4]]), Delivery::Done);
        assert_eq!(mailbox.outcome(), Some(Outcome::Filled(&[1; 4])));
        let second = mailbox.open().unwrap();
        let engine = thread::spawn(move || end.fill(second, &[&[7; 4]]));
        if let Some(outcome) = mailbox.outcome() {
            assert!(filled(outcome));
        }
        assert_eq!(engine.join().unwrap(), Delivery::Done);
        assert!(filled(mailbox.outcome().unwrap()));
    });
}

/// An answer has been read before the next one overwrites it: loom fails if the two are not ordered.
#[test]
fn an_answer_is_read_before_the_next_is_written() {
    loom::model(|| {
        let (mut mailbox, end) = ends();
        let first = mailbox.open().unwrap();
        let engine = thread::spawn(move || {
            assert_eq!(end.fill(first, &[&[1; 4]]), Delivery::Done);
            end.fill(first + 1, &[&[7; 4]])
        });
        if let Some(outcome) = mailbox.outcome() {
            assert_eq!(outcome, Outcome::Filled(&[1; 4]));
            assert_eq!(mailbox.open(), Some(first + 1));
        }
        let delivery = engine.join().unwrap();
        if delivery == Delivery::Done {
            assert!(filled(mailbox.outcome().unwrap()));
        }
    });
}

/// What does not fit is refused, and the waiter goes on waiting until it is told.
#[test]
fn a_failure_is_told_once() {
    loom::model(|| {
        let (mut mailbox, end) = ends();
        let generation = mailbox.open().unwrap();
        assert_eq!(end.fill(generation, &[&[7; 9]]), Delivery::TooLarge);
        assert_eq!(mailbox.outcome(), None);
        let engine = thread::spawn(move || (end.fail(generation, 4), end.fail(generation, 5)));
        let outcome = mailbox.give_up();
        let told = engine.join().unwrap();
        assert!(!told.1);
        let outcome = outcome.or_else(|| mailbox.outcome()).unwrap();
        let expected = if told.0 {
            Outcome::Failed(4)
        } else {
            Outcome::Timeout
        };
        assert_eq!(outcome, expected);
    });
}
