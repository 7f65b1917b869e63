//! SIP requests, so many at a time, that the script answers when it is done with them.

use crate::{STALLED, now};
use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A run that works takes a fraction of this.
const PATIENCE: Duration = Duration::from_secs(15);

pub fn run(sip: &str, user: &str, count: usize, flying: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(sip)?;
    socket.set_read_timeout(Some(STALLED))?;
    let mut requests = Requests {
        socket,
        user: user.to_owned(),
        unique: now(),
        begun: Vec::with_capacity(count),
    };
    requests.ask_until_answered()?;
    let begin = Instant::now();
    for _ in 0..flying.min(count) {
        requests.send()?;
    }
    let mut latencies = Vec::with_capacity(count);
    let (mut done, mut failed, mut last) = (0, 0, begin);
    while done < count {
        // No answer at all, or only those of tm's timer: neither will the others come.
        let Some((number, good)) = requests.receive()? else {
            break;
        };
        if begin.elapsed() > PATIENCE {
            break;
        }
        done += 1;
        last = Instant::now();
        if good {
            latencies.push((last - requests.begun[number]).as_nanos());
        } else {
            failed += 1;
        }
        if requests.begun.len() < count {
            requests.send()?;
        }
    }
    let took = (last - begin).as_nanos();
    // The first tenth finds cold caches.
    let answered = latencies.len();
    let mut settled = latencies.split_off(answered / 10);
    settled.sort_unstable();
    let at = |percent: usize| settled.get(settled.len() * percent / 100).unwrap_or(&0);
    println!("{answered} {failed} {took} {} {}", at(50), at(99));
    Ok(())
}

struct Requests {
    socket: UdpSocket,
    user: String,
    /// Of this run, so that no request looks like one that was there before.
    unique: u128,
    /// When each was sent.
    begun: Vec<Instant>,
}

impl Requests {
    /// A worker may learn a moment later than the client that the client is there.
    fn ask_until_answered(&mut self) -> io::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < STALLED {
            self.send()?;
            if let Some((_, true)) = self.receive()? {
                self.begun.clear();
                self.unique = now();
                return Ok(());
            }
        }
        Err(io::Error::other("no request is answered"))
    }

    fn send(&mut self) -> io::Result<()> {
        let (local, peer) = (self.socket.local_addr()?, self.socket.peer_addr()?);
        let (user, unique, number) = (&self.user, self.unique, self.begun.len());
        let request = format!(
            "OPTIONS sip:{user}@{peer} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{unique}{number}\r\n\
             From: <sip:bench@127.0.0.1>;tag=t{number}\r\n\
             To: <sip:{user}@{peer}>\r\n\
             Call-ID: {number}-{unique}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Max-Forwards: 10\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.begun.push(Instant::now());
        self.socket.send(request.as_bytes())?;
        Ok(())
    }

    /// The number of the request that was answered, and whether with success.
    fn receive(&self) -> io::Result<Option<(usize, bool)>> {
        let mut buffer = [0; 4096];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                other => other?,
            };
            let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
            let own = text
                .split_once("Call-ID: ")
                .and_then(|(_, rest)| rest.lines().next()?.split_once('-'))
                .filter(|(_, unique)| unique.parse() == Ok(self.unique))
                .and_then(|(number, _)| number.parse::<usize>().ok());
            if let Some(number) = own.filter(|number| *number < self.begun.len()) {
                return Ok(Some((number, text.starts_with("SIP/2.0 200"))));
            }
        }
    }
}
