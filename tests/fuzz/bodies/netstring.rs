//! Netstrings, as clients of the event socket send them.

use sipbus::evapi::netstring::{Found, Parser, put_length};

/// However the bytes were split, the same messages come out, and a message put between garbage and
/// line ends is found.
pub(crate) fn netstring(input: &[u8]) {
    const MOST: usize = 1000;
    let (split, bytes) = match input.split_first() {
        Some((split, bytes)) => (usize::from(*split) + 1, bytes),
        None => return,
    };
    let whole = messages(bytes, bytes.len().max(1), MOST);
    assert_eq!(whole, messages(bytes, split, MOST));
    let mut sent = Vec::new();
    put_length(&mut sent, bytes.len());
    sent.extend_from_slice(bytes);
    sent.push(b',');
    if (1..=MOST).contains(&bytes.len()) {
        assert_eq!(messages(&sent, split, MOST), Some(vec![bytes.to_vec()]));
    }
}

/// What a client that sends `bytes` in pieces is understood to say; none if it is to be closed.
fn messages(bytes: &[u8], piece: usize, most: usize) -> Option<Vec<Vec<u8>>> {
    let mut parser = Parser::new(most);
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let taken = match parser.next(&buffer) {
                Found::Frame { start, end, taken } => {
                    found.push(buffer[start..end].to_vec());
                    taken
                }
                Found::Blank(count) | Found::Garbage(count) => count,
                Found::TooLong => return None,
                Found::More => break,
            };
            buffer.drain(..taken);
        }
    }
    Some(found)
}
