//! Whoever answers queries.

use super::{Connection, EXCHANGE, member, message};
use std::io::{self, Read};
use std::thread;

/// The key of questions.
pub const QUESTION: &str = "question";

pub fn run(server: &str) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    connection.declare_exchange("targeted", "direct")?;
    connection.subscribe(EXCHANGE, QUESTION)?;
    thread::spawn(move || {
        // Ends with the connection, at the latest with the process.
        while answer(&mut connection).is_ok() {}
    });
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn answer(connection: &mut Connection) -> io::Result<()> {
    let mut answers = Vec::new();
    connection.receive(|question| {
        let question = std::str::from_utf8(question).unwrap_or_default();
        if let (Some(id), Some(to)) = (member(question, "Msg-ID"), member(question, "Server-ID")) {
            let answer = format!(
                r#"{{ "Event-Category": "bench", "Event-Name": "answer", "Msg-ID": "{id}" }}"#
            );
            answers.extend(message("targeted", to, answer.as_bytes()));
        }
    })?;
    connection.write(&answers)
}
