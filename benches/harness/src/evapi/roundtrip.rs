//! SIP requests that the script suspends until a client has answered, which sends back what it gets.

use super::{Client, SHORT, frame};
use crate::roundtrip;
use std::io::{self, Write};
use std::thread;

pub fn run(address: &str, sip: &str, user: &str, count: usize, flying: usize) -> io::Result<()> {
    let mut client = Client::to(address)?;
    thread::spawn(move || {
        // Ends with the connection, at the latest with the process.
        while answer(&mut client).is_ok() {}
    });
    roundtrip::run(sip, user, count, flying)
}

fn answer(client: &mut Client) -> io::Result<()> {
    let mut answers = String::new();
    client.receive(|data| {
        let text = std::str::from_utf8(data).unwrap_or_default();
        if data.len() < SHORT && text.contains(':') {
            answers += &frame(text);
        }
    })?;
    client.stream.write_all(answers.as_bytes())
}
