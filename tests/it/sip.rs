//! A small SIP client over UDP: one request, one answer, and how long it took.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::wait;

/// A client of one Kamailio.
pub(crate) struct Sip {
    socket: UdpSocket,
    port: u16,
    sent: u32,
    last: Vec<u8>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    /// The reason phrase, in which the test configurations put their results.
    pub(crate) reason: String,
    pub(crate) took: Duration,
}

impl Sip {
    pub(crate) fn to(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        Self {
            socket,
            port,
            sent: 0,
            last: Vec::new(),
        }
    }

    /// Where its requests come from; their Call-IDs end with it.
    pub(crate) fn address(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    /// Sends a request to `sip:<user>@...` without waiting; its answer is known by the number.
    pub(crate) fn send(&mut self, method: &str, user: &str, body: &[u8]) -> u32 {
        self.sent += 1;
        let (number, port) = (self.sent, self.port);
        let local = self.socket.local_addr().unwrap();
        let head = format!(
            "{method} sip:{user}@127.0.0.1:{port} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{number}\r\n\
             From: <sip:test@127.0.0.1>;tag=t{number}\r\n\
             To: <sip:{user}@127.0.0.1>\r\n\
             Call-ID: {number}@{local}\r\n\
             CSeq: {number} {method}\r\n\
             Max-Forwards: 10\r\n\
             Content-Type: application/octet-stream\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.last = [head.as_bytes(), body].concat();
        // ICMP of a port that is not open yet is reported by the next call: the waiter tries again.
        self.socket.send(&self.last).ok();
        number
    }

    /// Repeats the last request, as a client does that hears nothing.
    pub(crate) fn send_again(&self) {
        self.socket.send(&self.last).unwrap();
    }

    /// Receives the next final answer, whichever request it belongs to.
    pub(crate) fn receive(&self, within: Duration) -> Option<(u32, u16, String)> {
        let begin = Instant::now();
        let mut packet = vec![0; 65_536];
        while let Some(left) = within
            .checked_sub(begin.elapsed())
            .filter(|left| !left.is_zero())
        {
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok(length) = self.socket.recv(&mut packet) else {
                continue;
            };
            let text = String::from_utf8_lossy(&packet[..length]);
            if let Some(answer) = parse(&text).filter(|answer| answer.1 >= 200) {
                return Some(answer);
            }
        }
        None
    }

    /// Code and reason of the answer to one request. An INVITE's answers are repeated, since nobody
    /// sends the ACK: those of earlier requests are skipped.
    pub(crate) fn answer(&self, number: u32) -> (u16, String) {
        wait::until_some(&format!("request {number} is answered"), || {
            let answer = self.receive(wait::watchdog())?;
            (answer.0 == number).then_some((answer.1, answer.2))
        })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, method: &str, user: &str, body: &[u8]) -> Answer {
        let begin = Instant::now();
        let number = self.send(method, user, body);
        let (code, reason) = self.answer(number);
        Answer {
            code,
            reason,
            took: begin.elapsed(),
        }
    }

    /// Sends a MESSAGE, and returns what the script put into the reason phrase.
    pub(crate) fn message(&mut self, user: &str, body: &[u8]) -> String {
        let answer = self.ask("MESSAGE", user, body);
        assert_eq!(answer.code, 200, "{answer:?}");
        answer.reason
    }

    /// Whether the server answers at all, asked once.
    pub(crate) fn answers(&mut self) -> bool {
        let number = self.send("OPTIONS", "ping", b"");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(250) {
            if self
                .receive(Duration::from_millis(50))
                .is_some_and(|answer| answer.0 == number)
            {
                return true;
            }
        }
        false
    }
}

/// Number (from CSeq), code and reason of an answer.
fn parse(text: &str) -> Option<(u32, u16, String)> {
    let (first, rest) = text.split_once("\r\n")?;
    let (code, reason) = first.strip_prefix("SIP/2.0 ")?.split_once(' ')?;
    let cseq = rest.lines().find_map(|line| line.strip_prefix("CSeq: "))?;
    let number = cseq.split(' ').next()?.parse().ok()?;
    Some((number, code.parse().ok()?, reason.into()))
}
