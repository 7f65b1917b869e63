//! False from an async function: the same route goes on with a transaction that is as good as new.

use std::net::UdpSocket;

use super::client::Client;
use super::listener::tagged;
use super::suspend::{ASK, asking, question};
use crate::require::needs;
use crate::{port, turn, wait};

#[test]
fn nobody_connected_is_false_and_the_route_answers() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(ASK).start();
    let mut sip = kamailio.sip();
    for (count, method) in ["MESSAGE", "INVITE"].into_iter().enumerate() {
        let answer = sip.ask(method, "x", b"");
        assert_eq!((answer.code, answer.reason.as_str()), (503, "false -2"));
        assert_eq!(kamailio.counter("async_nobody"), count as u64 + 1);
    }
    // One who comes later is asked, and not about those calls.
    let mut client = Client::connect(&kamailio, port);
    let number = sip.send("MESSAGE", "later", b"");
    let (key, text) = question(&mut client);
    assert_eq!(text, "later");
    client.send(format!("{key}:yes"));
    assert_eq!(sip.answer(number), (200, "yes".into()));
    // And one who was there before is gone.
    drop(client);
    wait::until("the client is gone", || {
        super::listener::clients(&kamailio).is_empty()
    });
    let answer = sip.ask("MESSAGE", "x", b"");
    assert_eq!((answer.code, answer.reason.as_str()), (503, "false -2"));
    kamailio.stop();
}

#[test]
fn nobody_with_that_tag_is_false() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port)
        .request(
            r#"evapi_async_multicast("multi", "abc"); $var(answer) = "" + $rc;
               evapi_async_unicast("uni", "abc"); $var(answer) = $var(answer) + $rc;
               evapi_relay("end");
               send_reply("200", "$var(answer)"); exit;"#,
        )
        .start();
    let mut client = tagged(&kamailio, port, "ab");
    assert_eq!(kamailio.sip().message("x", b""), "-2-2");
    assert_eq!(client.text(), "end");
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn bad_data_and_bad_tags_are_false() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port)
        .request(
            r#"$var(none) = ""; $var(answer) = "";
               if (!evapi_async_relay("$avp(none)")) { $var(answer) = $var(answer) + $rc; }
               if (!evapi_async_relay("$var(none)")) { $var(answer) = $var(answer) + $rc; }
               if (!evapi_async_relay($avp(none))) { $var(answer) = $var(answer) + $rc; }
               if (!evapi_async_multicast("x", "$var(none)")) { $var(answer) = $var(answer) + $rc; }
               if (!evapi_async_unicast("$var(none)", "x")) { $var(answer) = $var(answer) + $rc; }
               evapi_relay("end");
               send_reply("200", "$var(answer)"); exit;"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("x", b""), "-1-1-1-1-1");
    assert_eq!(client.text(), "end");
    kamailio.wait_no_transaction();
    kamailio.stop();
}

/// Answers requests that Kamailio forwards to it.
struct Gateway(UdpSocket);

impl Gateway {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(wait::watchdog())).unwrap();
        Self(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Receives one request of this method, and answers it.
    fn answer(&self, method: &str, status: &str) {
        let mut packet = vec![0; 65_536];
        loop {
            let (length, from) = self.0.recv_from(&mut packet).expect("a forwarded request");
            let text = String::from_utf8_lossy(&packet[..length]).into_owned();
            if !text.starts_with(method) {
                continue;
            }
            let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let lines = text
                .lines()
                .filter(|line| copied.iter().any(|name| line.starts_with(name)));
            let lines = lines.map(|line| match line.strip_prefix("To:") {
                Some(_) => format!("{line};tag=gateway\r\n"),
                None => format!("{line}\r\n"),
            });
            let head: String = lines.collect();
            let reply = format!("SIP/2.0 {status}\r\n{head}Content-Length: 0\r\n\r\n");
            self.0.send_to(reply.as_bytes(), from).unwrap();
            return;
        }
    }
}

#[test]
fn after_false_the_request_is_forwarded() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let (port, first, second) = (port::free(), Gateway::new(), Gateway::new());
    let kamailio = asking(port)
        .routes(&format!(
            r#"failure_route[NEXT] {{ $du = "sip:127.0.0.1:{}"; t_relay(); }}"#,
            second.port()
        ))
        .request(&format!(
            r#"t_on_failure("NEXT");
               # Both are false, and both leave the transaction as it was.
               if (evapi_async_relay("x")) {{ exit; }}
               if (evapi_async_unicast("x", "y")) {{ exit; }}
               $du = "sip:127.0.0.1:{}"; t_relay(); exit;"#,
            first.port()
        ))
        .start();
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE"] {
        let number = sip.send(method, "x", b"");
        first.answer(method, "200 From The Gateway");
        assert_eq!(sip.answer(number), (200, "From The Gateway".into()));
        // The replies of a failed branch reach the failure route.
        let number = sip.send(method, "x", b"");
        first.answer(method, "486 Busy Here");
        second.answer(method, "200 From The Second");
        assert_eq!(sip.answer(number), (200, "From The Second".into()));
    }
    kamailio.stop();
}

#[test]
fn a_request_that_is_too_large_for_the_queue_is_false() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port)
        .before("pv_buffer_size=65536")
        .number("message_size_max", 1024)
        .request(
            r#"if (evapi_async_relay("$rb")) { exit; }
               $var(rc) = $rc; evapi_relay("end");
               send_reply("503", "false $var(rc)"); exit;"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    let answer = kamailio.sip().ask("MESSAGE", "x", &[b'x'; 4096]);
    assert_eq!(answer.code, 503, "{answer:?}");
    assert!(answer.reason.starts_with("false -"), "{answer:?}");
    assert_eq!(client.text(), "end");
    kamailio.wait_no_transaction();
    kamailio.stop();
}
