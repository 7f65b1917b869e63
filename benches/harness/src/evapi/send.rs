//! Clients that send, as fast as Kamailio reads. Each `unit` events the script relays their number.

use super::{Client, frame};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, Sender};
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
    let mut first = connected[0].writer()?;
    let (reports, reported) = mpsc::channel();
    for client in connected.drain(..) {
        let reports = reports.clone();
        thread::spawn(move || read(client, &reports));
    }
    let (mut handled, mut last) = (0, begin);
    while handled < count {
        let Ok(more) = reported.recv_timeout(SILENCE) else {
            break;
        };
        handled += more;
        last = Instant::now();
    }
    let took = (last - begin).as_nanos();
    if handled < count && unit > 1 {
        handled += remainder(&mut first, &reported, &frames[0], unit)?;
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

/// The script sends each report to one client only.
fn read(mut client: Client, reports: &Sender<usize>) -> io::Result<()> {
    loop {
        let mut more = 0;
        client.receive(|data| {
            let text = std::str::from_utf8(data).unwrap_or_default();
            more += text.parse::<usize>().unwrap_or(0);
        })?;
        if more > 0 && reports.send(more).is_err() {
            return Ok(());
        }
    }
}

/// What was handled since the last report, for one process that counts: found by sending single
/// frames until the unit is full.
fn remainder(
    client: &mut TcpStream,
    reported: &Receiver<usize>,
    one: &str,
    unit: usize,
) -> io::Result<usize> {
    for pads in 1..=unit {
        client.write_all(one.as_bytes())?;
        if reported.recv_timeout(PAD).is_ok() {
            return Ok(unit - pads);
        }
    }
    Ok(0)
}
