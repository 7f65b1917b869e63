//! Clients that send, as fast as Kamailio reads. Each `unit` events the script relays their number.

use super::{Client, frame, timed_out};
use crate::now;
use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Frames per write.
const CHUNK: usize = 256;

/// So long without a report: something is missing.
const SILENCE: Duration = Duration::from_secs(1);

/// So long until one more frame shows whether it completes a unit.
const PAD: Duration = Duration::from_millis(2);

pub fn run(
    address: &str,
    clients: usize,
    count: usize,
    size: usize,
    unit: usize,
) -> io::Result<()> {
    let mut connected = Client::several(address, clients)?;
    // Of all sizes from 1 on, `size` in the middle: so that reads end anywhere in a frame.
    let frames: Vec<String> = (0..CHUNK)
        .map(|number| frame(&"x".repeat(1 + number % (2 * size - 1))))
        .collect();
    for client in &connected {
        let (writer, frames) = (client.writer()?, frames.clone());
        thread::spawn(move || write(writer, &frames, count / clients));
    }
    let begin = Instant::now();
    let reader = &mut connected[0];
    let (mut handled, mut last) = (0, begin);
    reader.stream.set_read_timeout(Some(SILENCE))?;
    while handled < count {
        let received = reports(reader, &mut handled);
        if timed_out(&received) || received.is_err() {
            break;
        }
        last = Instant::now();
    }
    let took = (last - begin).as_nanos();
    if handled < count && unit > 1 {
        handled += remainder(reader, &frames[0], unit)?;
    }
    println!("{handled} {took}");
    // Whatever the writers still wait for.
    std::process::exit(0)
}

fn write(mut writer: TcpStream, frames: &[String], mut left: usize) -> io::Result<()> {
    let chunk = frames.concat();
    while left >= frames.len() {
        writer.write_all(chunk.as_bytes())?;
        left -= frames.len();
    }
    writer.write_all(frames[..left].concat().as_bytes())
}

fn reports(client: &mut Client, handled: &mut usize) -> io::Result<()> {
    client.receive(|data| {
        let text = std::str::from_utf8(data).unwrap_or_default();
        *handled += text.parse::<usize>().unwrap_or(0);
    })
}

/// What was handled since the last report, for one process that counts: found by sending single frames until the unit
/// is full.
fn remainder(client: &mut Client, one: &str, unit: usize) -> io::Result<usize> {
    client.stream.set_read_timeout(Some(PAD))?;
    let begin = now();
    for pads in 1..=unit {
        client.stream.write_all(one.as_bytes())?;
        let mut more = 0;
        let received = reports(client, &mut more);
        if more > 0 {
            return Ok(unit - pads);
        }
        if received.is_err() && !timed_out(&received) || now() - begin > 20_000_000_000 {
            break;
        }
    }
    Ok(0)
}
