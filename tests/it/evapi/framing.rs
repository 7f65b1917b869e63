//! Netstrings: however the bytes are split, frames come out; what is no frame harms its sender only.

use super::client::Client;
use super::listener::on;
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::{port, turn};

/// Tells all clients what came from which.
const TELL: &str = r#"
event_route[evapi:message-received] { evapi_relay("$evapi(conidx) $evapi(msg)"); }
event_route[evapi:connection-closed] { evapi_relay("$evapi(conidx) closed"); }
"#;

/// What follows what is tried, so that its end is seen.
const GOOD: &str = "4:good,";

/// Bytes, and what a client that sends them has said when all are handled; none: it was closed.
const INPUT: &[(&str, Option<&[&str]>)] = &[
    ("5:hello,", Some(&["hello"])),
    (
        "5:hello,11:hello world,1:x,",
        Some(&["hello", "hello world", "x"]),
    ),
    (
        " \t\r\n5:hello,\r\n\r\n  5:again,\n",
        Some(&["hello", "again"]),
    ),
    // A comma, a colon, a whole frame inside a frame are data.
    ("8:a,b:5:c,,", Some(&["a,b:5:c,"])),
    ("0:,", Some(&[])),
    ("0:,0:,1:x,0:,", Some(&["x"])),
    ("00005:hello,", Some(&["hello"])),
    ("garbage", Some(&[])),
    ("5:hello,garbage5:again,", Some(&["hello", "again"])),
    ("12garbage", Some(&[])),
    ("12 5:hello,", Some(&["hello"])),
    (":", Some(&[])),
    (":::,,,", Some(&[])),
    ("-1:", Some(&[])),
    ("5:helloX", Some(&[])),
    ("5:hello5:again,5:third,", Some(&["third"])),
    ("0:X", Some(&[])),
    ("2147483640:A,", None),
    ("2147483647:A,", None),
    ("4294967301:hello,", None),
    ("18446744073709551621:hello,", None),
    ("99999999999:", None),
    ("1048577:", None),
];

struct Bench {
    kamailio: Kamailio,
    port: u16,
    observer: Client,
}

impl Bench {
    fn new() -> Self {
        let port = port::free();
        let kamailio = on(port).routes(TELL).start();
        let observer = Client::connect(&kamailio, port);
        Self {
            kamailio,
            port,
            observer,
        }
    }

    /// What the script got of a client that `feed` makes talk, up to `good` or its end.
    fn said(&mut self, feed: impl FnOnce(&mut Client)) -> Option<Vec<String>> {
        let mut client = Client::connect(&self.kamailio, self.port);
        let index = client.index(&self.kamailio);
        feed(&mut client);
        let mut said = Vec::new();
        let outcome = loop {
            let text = self.observer.text();
            let (from, text) = text.split_once(' ').unwrap();
            assert_eq!(from, index.to_string(), "{text}");
            match text {
                "good" => break Some(said),
                "closed" => break None,
                other => said.push(other.to_string()),
            }
        };
        drop(client);
        if outcome.is_some() {
            assert_eq!(self.observer.text(), format!("{index} closed"));
        }
        // Nobody else was harmed.
        let own = self.observer.index(&self.kamailio);
        self.observer.send("alive");
        assert_eq!(self.observer.text(), format!("{own} alive"));
        outcome
    }

    fn expect(
        &mut self,
        bytes: &str,
        expected: Option<&[&str]>,
        how: &str,
        feed: impl FnOnce(&mut Client),
    ) {
        let said = self.said(feed);
        let said: Option<Vec<&str>> = said
            .as_ref()
            .map(|said| said.iter().map(String::as_str).collect());
        assert_eq!(said.as_deref(), expected, "{bytes:?} {how}");
    }
}

#[test]
fn frames_come_out_of_one_packet() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut bench = Bench::new();
    for (bytes, expected) in INPUT {
        let packet = format!("{bytes}{GOOD}");
        bench.expect(bytes, *expected, "in one packet", |client| {
            client.try_send_raw(packet.as_bytes())
        });
    }
    bench.kamailio.stop();
}

#[test]
fn frames_come_out_of_single_bytes() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut bench = Bench::new();
    for (bytes, expected) in INPUT {
        let packet = format!("{bytes}{GOOD}");
        bench.expect(bytes, *expected, "byte by byte", |client| {
            for byte in packet.bytes() {
                client.try_send_raw(&[byte]);
                client.taken();
            }
        });
    }
    bench.kamailio.stop();
}

#[test]
fn frames_come_out_of_two_parts_split_anywhere() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut bench = Bench::new();
    for (bytes, expected) in INPUT {
        let packet = format!("{bytes}{GOOD}");
        for split in 1..packet.len() {
            let (one, two) = packet.as_bytes().split_at(split);
            bench.expect(bytes, *expected, &format!("split at {split}"), |client| {
                client.try_send_raw(one);
                client.taken();
                client.try_send_raw(two);
            });
        }
    }
    bench.kamailio.stop();
}

#[test]
fn endless_digits_close_the_connection() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut bench = Bench::new();
    let digits = "9".repeat(32 * 1024);
    bench.expect("32 KiB of digits", None, "", |client| {
        client.try_send_raw(digits.as_bytes())
    });
    bench.kamailio.stop();
}

#[test]
fn any_bytes_at_all_harm_their_sender_only() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 2)
        .number("max_clients", 256)
        .routes(
            r#"event_route[evapi:message-received] {
                   if ($evapi(msg) == "alive") { evapi_relay("alive"); }
               }"#,
        )
        .start();
    let mut observer = Client::connect(&kamailio, port);
    // The bytes that mean something to a parser, in no order; the same ones each time.
    let alphabet = b"0123456789:,,::-+ \r\n\0\xffalive5:alive,";
    let mut state = 1_u32;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..2000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                alphabet[(state >> 16) as usize % alphabet.len()]
            })
            .collect();
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        client.try_send_raw(&bytes);
    }
    kamailio.wait_counter("disconnections", 200);
    observer.send("alive");
    assert_eq!(observer.text(), "alive");
    assert_eq!(kamailio.rpc("sipbus.status", &[])["engine"]["restarts"], 0);
    kamailio.stop();
}

#[test]
fn garbage_is_told_once_and_counted() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut bench = Bench::new();
    let mut from = 0;
    let said = bench.said(|client| {
        from = client.local_port();
        for _ in 0..100 {
            client.send_raw(b"garbage");
            client.taken();
        }
        client.send_raw(GOOD.as_bytes());
    });
    assert_eq!(said, Some(Vec::new()));
    assert_eq!(bench.kamailio.counter("garbage"), 700);
    let log = bench.kamailio.stop();
    let told = log
        .lines()
        .filter(|line| line.contains(&format!(":{from}")))
        .count();
    assert_eq!(told, 1, "{log}");
}

#[test]
fn without_netstrings_bytes_pass_as_they_are() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("netstring_format", 0)
        .routes(r#"event_route[evapi:message-received] { evapi_relay("<$evapi(msg)>"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    for (sent, expected) in [
        ("hello", "<hello>"),
        ("5:hello,", "<5:hello,>"),
        ("line\r\n", "<line\r\n>"),
    ] {
        client.send_raw(sent.as_bytes());
        assert_eq!(client.raw(expected.len()), expected.as_bytes());
    }
    kamailio.stop();
}
