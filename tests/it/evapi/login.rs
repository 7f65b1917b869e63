//! Who gets in: the shared secret, and how long a newcomer may take. TLS is in `tests/it/tls`.

use super::client::Client;
use super::listener::on;
use crate::certificates::Certificates;
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::{port, turn, wait};

/// Counts the events, and answers messages.
const ECHO: &str = r#"
event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); }
event_route[evapi:message-received] { $var(count) = $shtinc(count=>messages); evapi_relay("$evapi(msg)"); }
event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
"#;

fn echoes(client: &mut Client) {
    client.send("hello");
    assert_eq!(client.text(), "hello");
}

/// The connection ends, and the script never heard of it.
fn is_refused(kamailio: &Kamailio, mut client: Client, count: u64) {
    client.try_send_raw(b"5:hello,");
    assert!(client.until_cut().is_empty());
    kamailio.wait_counter("logins_refused", count);
    let events = ["new", "messages", "closed"].map(|event| kamailio.counted(event));
    assert_eq!(events, [0; 3]);
}

const SECRET: &str = "correct horse";

#[test]
fn the_shared_secret_lets_a_client_in() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .text_param("shared_secret", SECRET)
        .routes(ECHO)
        .request(
            r#"evapi_relay("too early");
               if (evapi_async_relay("x")) { exit; }
               send_reply("200", "false $rc"); exit;"#,
        )
        .start();
    let mut client = Client::dial(([127, 0, 0, 1], port).into());
    wait::until("the client is seen", || {
        client
            .shown(&kamailio)
            .is_some_and(|shown| shown["state"] == "login")
    });
    // Nothing is told to one who has not said it, and nothing is asked.
    assert_eq!(kamailio.sip().message("x", b""), "false -2");
    kamailio.wait_counter("undelivered", 1);
    assert_eq!(kamailio.counted("new"), 0);
    client.send(SECRET);
    client.admitted(&kamailio);
    echoes(&mut client);
    assert_eq!(
        (kamailio.counted("new"), kamailio.counted("messages")),
        (1, 1)
    );
    kamailio.stop();
}

#[test]
fn a_wrong_secret_is_refused_and_not_shown() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .text_param("shared_secret", SECRET)
        .routes(ECHO)
        .start();
    let wrong = [
        "wrong battery",
        "correct hors",
        "correct horse ",
        "Correct horse",
    ];
    let mut ports = Vec::new();
    for (count, secret) in wrong.iter().enumerate() {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        ports.push(client.local_port());
        client.send(secret);
        is_refused(&kamailio, client, count as u64 + 1);
    }
    let log = kamailio.stop();
    for port in ports {
        let told = log
            .lines()
            .filter(|line| line.contains(&format!(":{port}")))
            .count();
        assert_eq!(told, 1, "{log}");
    }
    assert!(!log.contains(SECRET) && !log.contains("battery"), "{log}");
}

#[test]
fn an_operator_closes_one_who_has_not_logged_in() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .text_param("shared_secret", SECRET)
        .routes(ECHO)
        .start();
    let mut client = Client::dial(([127, 0, 0, 1], port).into());
    wait::until("the client is seen", || client.shown(&kamailio).is_some());
    let index = client.index(&kamailio);
    kamailio.rpc("evapi.close", &[serde_json::json!(index)]);
    assert!(client.rest().is_empty());
    kamailio.wait_counter("disconnections", 1);
    // It was not refused.
    assert_eq!(kamailio.counter("logins_refused"), 0);
    assert_eq!(kamailio.counted("closed"), 0);
    let log = kamailio.stop();
    assert!(log.contains("was closed before it had logged in"), "{log}");
    assert!(!log.contains("is refused"), "{log}");
}

#[test]
fn the_secret_goes_before_raw_bytes_too() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .text_param("shared_secret", SECRET)
        .number("netstring_format", 0)
        .routes(ECHO)
        .start();
    for (begin, rest) in [
        ("correct horse\r\nhello", ""),
        ("correct ", "horse\nhello"),
        ("correct horse", "\r\nhello"),
        ("correct horse\r", "\nhello"),
    ] {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        client.send_raw(begin.as_bytes());
        client.taken();
        client.send_raw(rest.as_bytes());
        assert_eq!(client.raw(5), b"hello");
        drop(client);
        wait::until("it is gone", || {
            super::listener::clients(&kamailio).is_empty()
        });
    }
    kamailio.stop();
}

#[test]
fn who_says_nothing_is_sent_away_in_time() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (port, secret, made) = (port::free(), port::free(), Certificates::new());
    let kamailio = crate::tls::clients::on(&made, port)
        .text_param("bind_addr", &format!("127.0.0.1:{secret}"))
        .text_param("shared_secret", SECRET)
        .number("login_timeout_ms", 200)
        .routes(
            r#"event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); }
               event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }"#,
        )
        .start();
    for (count, port) in [port, secret].into_iter().enumerate() {
        let mut silent = Client::dial(([127, 0, 0, 1], port).into());
        assert!(silent.rest().is_empty());
        kamailio.wait_counter("logins_refused", count as u64 + 1);
    }
    assert_eq!(
        (kamailio.counted("new"), kamailio.counted("closed")),
        (0, 0)
    );
    kamailio.stop();
}
