//! A client that does not read: it costs SIP nothing, others no frame, and nobody's stream is
//! corrupted.

use super::client::Client;
use super::listener::on;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::{port, sipp, turn};

/// Each request relays this many numbered frames with the body of the request in them.
fn relaying(config: Config, each: u32) -> Config {
    config
        .routes("event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }")
        .request(&format!(
            r#"$var(i) = 0;
               while ($var(i) < {each}) {{
                   $var(n) = $shtinc(count=>sent);
                   while (!evapi_relay("$var(n):$rb")) {{ usleep("1000"); }}
                   $var(i) = $var(i) + 1;
               }}"#
        ))
}

/// The number of a frame whose other bytes must be the body.
fn number(frame: &[u8], body: &[u8]) -> u32 {
    let colon = frame
        .iter()
        .position(|byte| *byte == b':')
        .expect("a number");
    assert!(&frame[colon + 1..] == body, "a frame was corrupted");
    std::str::from_utf8(&frame[..colon])
        .unwrap()
        .parse()
        .unwrap()
}

/// Has a request relay `each` frames, all of which the client must get, in order.
fn round(kamailio: &Kamailio, healthy: &mut Client, each: u32, body: &[u8], last: &mut u32) {
    kamailio.sip().message("x", body);
    for _ in 0..each {
        *last += 1;
        assert_eq!(number(&healthy.frame(), body), *last);
    }
}

/// The warnings of the log that tell about this client.
fn told(log: &str, port: u16) -> usize {
    log.lines()
        .filter(|line| line.contains("WARNING:") && line.contains(&format!(":{port}")))
        .count()
}

#[test]
fn a_client_that_never_reads_is_closed_and_costs_nobody_a_frame() {
    needs!("kamailio", "evapi", "sipp");
    let _turn = turn::alone();
    let port = port::free();
    let kamailio = relaying(on(port), 1000).start();
    let mut healthy = Client::connect(&kamailio, port);
    let mut stuck = Client::connect(&kamailio, port);
    let stuck_port = stuck.local_port();
    let (mut last, body) = (0, [b'x'; 1024]);
    sipp::options_during(kamailio.port(), || {
        for _ in 0..100 {
            round(&kamailio, &mut healthy, 1000, &body, &mut last);
        }
    });
    kamailio.wait_counted("closed", 1);
    assert_eq!(kamailio.counter("clients_closed_full"), 1);
    assert_eq!(kamailio.counter("frames_dropped"), 0);
    // What it got before the end is whole and in order.
    let frames = stuck.until_cut();
    assert!(!frames.is_empty());
    for (frame, expected) in frames.iter().zip(1..) {
        assert_eq!(number(frame, &body), expected);
    }
    // And it may come again.
    let mut again = Client::connect(&kamailio, port);
    round(&kamailio, &mut again, 1000, &body, &mut last);
    assert_eq!(kamailio.counted("closed"), 1);
    let log = kamailio.stop();
    assert_eq!(told(&log, stuck_port), 1, "{log}");
}

#[test]
fn with_the_drop_policy_it_loses_the_newest_frames_and_stays() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    const EACH: u32 = 256;
    let port = port::free();
    let config = on(port)
        .number("client_buffer_size", 1024 * 1024)
        .text_param("client_full_policy", "drop");
    let kamailio = relaying(config, EACH).start();
    let mut healthy = Client::connect(&kamailio, port);
    let mut stuck = Client::connect(&kamailio, port);
    let stuck_port = stuck.local_port();
    let (mut last, body) = (0, [b'x'; 1024]);
    for _ in 0..100 {
        round(&kamailio, &mut healthy, EACH, &body, &mut last);
    }
    kamailio.wait_counter("frames_dropped", 1);
    let shown = stuck.shown(&kamailio).expect("it is still there");
    assert!(shown["buffered"].as_u64().unwrap() > 0, "{shown}");
    // Now it reads: frames are missing, and none is damaged or out of order.
    let (mut got, mut before) = (0, 0);
    while got + kamailio.counter("frames_dropped") < u64::from(last) {
        let next = number(&stuck.frame(), &body);
        assert!(next > before);
        (got, before) = (got + 1, next);
    }
    assert_eq!(got + kamailio.counter("frames_dropped"), u64::from(last));
    // From here on nothing is missing again.
    round(&kamailio, &mut healthy, EACH, &body, &mut last);
    for expected in last - EACH + 1..=last {
        assert_eq!(number(&stuck.frame(), &body), expected);
    }
    assert_eq!(kamailio.counter("clients_closed_full"), 0);
    assert_eq!(kamailio.counted("closed"), 0);
    let log = kamailio.stop();
    assert_eq!(told(&log, stuck_port), 1, "one line per episode:\n{log}");
}

#[test]
fn a_small_buffer_costs_no_client_that_reads() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    for size in [4096, 65_536] {
        let port = port::free();
        let kamailio = relaying(on(port).number("client_buffer_size", size), 200).start();
        let mut healthy = Client::connect(&kamailio, port);
        let mut last = 0;
        for body in [[b'x'; 1024].as_slice(), &[b'y'; 5000]] {
            round(&kamailio, &mut healthy, 200, body, &mut last);
        }
        assert_eq!(kamailio.counter("clients_closed_full"), 0);
        kamailio.stop();
    }
}

#[test]
fn short_writes_never_corrupt_a_stream() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    let port = port::free();
    let config = on(port).before("pv_buffer_size=65536").private_memory(32);
    let kamailio = relaying(config, 100).start();
    let mut late = Client::connect(&kamailio, port);
    // No two neighbours alike, so that a shifted frame cannot look right.
    let body: Vec<u8> = (0..30_000_u32)
        .map(|at| b'a' + u8::try_from(at % 23).unwrap())
        .collect();
    for _ in 0..3 {
        kamailio.sip().message("x", &body);
    }
    // More than a socket holds: much of it is still in the engine.
    kamailio.wait_counter("delivered", 300);
    // Three SIP workers wrote them: each one's order is kept, not that between them.
    let mut numbers: Vec<u32> = (0..300).map(|_| number(&late.frame(), &body)).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=300));
    kamailio.stop();
}

#[test]
fn async_answers_go_on_beside_a_client_that_never_reads() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::alone();
    let port = port::free();
    let kamailio = super::suspend::asking(port)
        .text_param("client_full_policy", "drop")
        .number("client_buffer_size", 65_536)
        .request(
            r#"if ($rU == "fill") {
                   $var(i) = 0;
                   while ($var(i) < 1000) { if (evapi_multicast("$rb", "stuck")) { $var(i) = $var(i) + 1; } }
                   send_reply("200", "filled"); exit;
               }
               if (evapi_async_relay("$T(id_index):$T(id_label):$rU")) { exit; }
               send_reply("503", "false $rc"); exit;"#,
        )
        .start();
    let stuck = super::listener::tagged(&kamailio, port, "stuck");
    let mut sip = kamailio.sip();
    while kamailio.counter("frames_dropped") == 0 {
        assert_eq!(sip.message("fill", &[b'x'; 1024]), "filled");
    }
    let mut client = Client::connect(&kamailio, port);
    for round in 0..200 {
        let number = sip.send("MESSAGE", "x", b"");
        let (key, _) = super::suspend::question(&mut client);
        client.send(format!("{key}:answer {round}"));
        assert_eq!(sip.answer(number), (200, format!("answer {round}")));
    }
    drop(stuck);
    kamailio.stop();
}
