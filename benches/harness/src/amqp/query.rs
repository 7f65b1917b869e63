//! Queries without Kamailio, one at a time: what a bare client needs for one.

use super::answer::QUESTION;
use super::{Connection, EXCHANGE, message};
use crate::STALLED;
use std::io;
use std::time::Instant;

pub fn run(server: &str, count: usize) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    let own = format!("bare-{}", std::process::id());
    connection.declare_exchange("targeted", "direct")?;
    connection.subscribe("targeted", &own)?;
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    let mut latencies = Vec::with_capacity(count);
    for number in 0..count {
        let question = format!(
            r#"{{ "Event-Category": "bench", "Event-Name": "question", "Msg-ID": "{number}", "Server-ID": "{own}" }}"#
        );
        let begin = Instant::now();
        connection.write(&message(EXCHANGE, QUESTION, question.as_bytes()))?;
        let mut answered = false;
        while !answered {
            connection.receive(|_| answered = true)?;
        }
        latencies.push(begin.elapsed().as_nanos());
    }
    // The first tenth finds cold caches.
    let mut settled = latencies.split_off(count / 10);
    settled.sort_unstable();
    let at = |percent: usize| settled.get(settled.len() * percent / 100).unwrap_or(&0);
    println!("{} {}", at(50), at(99));
    Ok(())
}
