//! A text that is read while it is replaced, in every interleaving that memory order allows, by loom.
//!
//! Run by `make test-model`.
#![cfg(sipbus_loom)]

use loom::thread;
use sipbus::shm::text::Text;

fn leaked() -> &'static Text<2> {
    Box::leak(Box::new(Text::model()))
}

/// The reader is the thread: loom switches by the last access to an atomic only, and the writer
/// reads before it writes.
#[test]
fn nobody_reads_half_of_one_and_half_of_another() {
    loom::model(|| {
        let text = leaked();
        text.set("ab");
        let reader = thread::spawn(|| text.value());
        text.set("cd");
        let read = reader.join().unwrap();
        assert!(read == "ab" || read == "cd", "{read}");
        assert_eq!(text.value(), "cd");
    });
}

#[test]
fn a_shorter_one_is_read_with_its_length() {
    loom::model(|| {
        let text = leaked();
        text.set("ab");
        let reader = thread::spawn(|| text.value());
        text.set("c");
        let read = reader.join().unwrap();
        assert!(read == "ab" || read == "c", "{read}");
    });
}
