use super::client::{Chunk, Client, End, Hand};
use crate::evapi::State;
use crate::frame::evapi::Connection;
use bytes::{Buf, Bytes};
use std::io::IoSlice;

fn client(state: State) -> Client {
    let connection = Connection {
        index: 0,
        port: 1,
        generation: 7,
    };
    Client::new(connection, "127.0.0.1".to_owned(), state, Vec::new())
}

fn push(client: &Client, text: &'static str, frames: usize) {
    client.push(Chunk {
        bytes: Bytes::from_static(text.as_bytes()),
        frames,
    });
}

#[test]
fn what_is_written_in_pieces_is_counted_by_whole_frames() {
    let client = client(State::Up);
    push(&client, "1:a,2:bb,", 2);
    push(&client, "1:c,", 1);
    let mut hand = Hand::default();
    assert!(client.hand_over(&mut hand));
    assert!(!client.hand_over(&mut hand));
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(hand.chunks_vectored(&mut slices), 2);
    let mut written = Vec::new();
    for (step, frames) in [(3, 0), (6, 2), (2, 0), (2, 1)] {
        written.extend_from_slice(&hand.chunk()[..step]);
        hand.advance(step);
        assert_eq!(hand.take_frames_done(), frames);
        client.wrote(step, frames);
    }
    assert_eq!(written, b"1:a,2:bb,1:c,");
    assert!(!hand.has_remaining());
    assert_eq!((client.buffered(), client.written.get()), (0, 13));
    assert_eq!(client.frames_written.get(), 3);
}

#[test]
fn a_client_that_takes_nothing_more_keeps_nothing() {
    let client = client(State::Up);
    push(&client, "1:a,", 1);
    client.finish(End::Full);
    push(&client, "1:b,", 1);
    assert_eq!(client.buffered(), 0);
    assert!(!client.hand_over(&mut Hand::default()));
}

#[test]
fn the_first_reason_to_end_counts() {
    let client = client(State::Up);
    client.finish(End::Asked);
    client.finish(End::Full);
    assert_eq!(client.end(), Some(End::Asked));
    assert!(!client.is_broken());
}

#[test]
fn only_a_new_client_is_admitted() {
    for (before, after) in [
        (State::New, State::Up),
        (State::Up, State::Up),
        (State::Closing, State::Closing),
    ] {
        let client = client(before);
        client.admit();
        assert_eq!(client.state.get(), after);
    }
}
