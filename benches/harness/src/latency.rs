//! Latency from the script to a subscriber. Each SIP request makes the script publish one message
//! that begins with the time, "seconds.microseconds ".

use crate::connection::Connection;
use crate::{STALLED, amqp, now};
use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

pub fn run(server: &str, subject: &str, sip: &str, rate: usize, count: usize) -> io::Result<()> {
    let mut connection = Connection::to(server)?;
    connection.subscribe(subject)?;
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    measure(sip, rate, count, |latencies| {
        let received = connection.receive(|payload| latencies.push(age(payload)));
        received.map(|_| ())
    })
}

/// The payload is an object, its member Time the time.
pub fn amqp(server: &str, key: &str, sip: &str, rate: usize, count: usize) -> io::Result<()> {
    let mut connection = amqp::Connection::to(server)?;
    connection.subscribe(amqp::EXCHANGE, key)?;
    connection.writer()?.set_read_timeout(Some(STALLED))?;
    measure(sip, rate, count, |latencies| {
        connection.receive(|payload| {
            let text = std::str::from_utf8(payload).unwrap_or_default();
            let time = amqp::member(text, "Time").unwrap_or_default();
            latencies.push(age(time.as_bytes()));
        })
    })
}

/// `receive` waits for messages and adds their latencies.
fn measure(
    sip: &str,
    rate: usize,
    count: usize,
    mut receive: impl FnMut(&mut Vec<u128>) -> io::Result<()>,
) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(sip)?;
    let mut latencies = Vec::with_capacity(count);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(&socket, rate, count));
        while latencies.len() < count {
            match receive(&mut latencies) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                other => other?,
            }
        }
        sender
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the sender failed")))
    })?;
    // The first tenth finds cold caches and lanes that were never used.
    let mut settled = latencies.split_off(latencies.len() / 10);
    settled.sort_unstable();
    let at = |percent: usize| {
        settled
            .get(settled.len() * percent / 100)
            .copied()
            .unwrap_or(0)
    };
    let total = settled.len() + latencies.len();
    println!(
        "{total} {} {} {}",
        at(50),
        at(99),
        settled.last().unwrap_or(&0)
    );
    Ok(())
}

/// How long ago the payload was written.
fn age(payload: &[u8]) -> u128 {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let stamp = text
        .split(' ')
        .next()
        .and_then(|stamp| stamp.split_once('.'));
    let written = stamp.and_then(|(seconds, micros)| {
        Some(seconds.parse::<u128>().ok()? * 1_000_000 + micros.parse::<u128>().ok()?)
    });
    now().saturating_sub(written.unwrap_or(0) * 1000)
}

/// One request at a time, each at its own moment however late the one before was.
fn send(socket: &UdpSocket, rate: usize, count: usize) -> io::Result<()> {
    let (local, peer) = (socket.local_addr()?, socket.peer_addr()?);
    let begin = Instant::now();
    for number in 0..count {
        let at = Duration::from_nanos((number * 1_000_000_000 / rate) as u64);
        thread::sleep(at.saturating_sub(begin.elapsed()));
        let request = format!(
            "OPTIONS sip:one@{peer} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{number}\r\n\
             From: <sip:bench@127.0.0.1>;tag=t{number}\r\n\
             To: <sip:one@{peer}>\r\n\
             Call-ID: {number}@{local}\r\n\
             CSeq: {number} OPTIONS\r\n\
             Max-Forwards: 10\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send(request.as_bytes())?;
    }
    Ok(())
}
