//! Ends of a connection: what a client that ends its side, or is closed, still gets.

use super::client::Client;
use super::listener::{clients, on};
use crate::kamailio::Config;
use crate::require::needs;
use crate::{port, turn, wait};

/// Answers a message once it may, and counts events.
const ANSWER: &str = r#"
event_route[evapi:message-received] {
    $var(count) = $shtinc(count=>asked);
    while ($sht(count=>wake) == 0) { usleep("1000"); }
    evapi_relay("re:$evapi(msg)");
}
event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
"#;

/// Writes many frames and a last one, and closes.
const GOODBYE: &str = r#"
event_route[evapi:message-received] {
    $var(i) = 0;
    while ($var(i) < 500) {
        evapi_relay("$evapi(msg)");
        $var(i) = $var(i) + 1;
    }
    evapi_relay("LAST");
    evapi_close();
}
event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
"#;

fn two_workers(port: u16) -> Config {
    on(port).number("workers", 2)
}

#[test]
fn who_ends_its_side_gets_its_answers_and_then_the_end() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = two_workers(port).routes(ANSWER).start();
    let mut client = Client::connect(&kamailio, port);
    client.send("one");
    client.send("two");
    client.end();
    kamailio.wait_counted("asked", 1);
    // The engine has seen the end before it admits another one.
    drop(Client::connect(&kamailio, port));
    kamailio.wait_counted("closed", 1);
    kamailio.set("wake", 1);
    assert_eq!(client.rest(), ["re:one", "re:two"]);
    kamailio.wait_counted("closed", 2);
    wait::until("nobody is left", || clients(&kamailio).is_empty());
    kamailio.stop();
}

#[test]
fn what_waits_for_who_ends_its_side_goes_out_whole() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const FRAMES: usize = 100;
    let port = port::free();
    let kamailio = on(port)
        .before("pv_buffer_size=65536")
        .private_memory(32)
        .request(&format!(
            r#"$var(i) = 0;
               while ($var(i) < {FRAMES}) {{ if (evapi_relay("$rb")) {{ $var(i) = $var(i) + 1; }} }}"#
        ))
        .start();
    let mut client = Client::connect(&kamailio, port);
    // More than a socket holds: much of it is still in the engine when the end comes.
    for _ in 0..4 {
        kamailio.sip().message("x", &[b'x'; 30_000]);
    }
    kamailio.wait_counter("delivered", 4 * FRAMES as u64);
    client.end();
    let rest = client.rest();
    assert_eq!(rest.len(), 4 * FRAMES);
    assert!(rest.iter().all(|frame| frame.len() == 30_000));
    kamailio.stop();
}

#[test]
fn what_was_written_before_a_close_arrives_whatever_the_client_sends() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).routes(GOODBYE).start();
    let mut client = Client::connect(&kamailio, port);
    client.send([b'x'; 1024]);
    kamailio.wait_counted("closed", 1);
    wait::until("it is shown no more", || clients(&kamailio).is_empty());
    // Nobody wants to hear this, and the client has not begun to read.
    for _ in 0..100 {
        client.try_send_raw(b"4:more,");
    }
    let rest = client.rest();
    assert_eq!(rest.len(), 501);
    assert_eq!(rest[500], "LAST");
    kamailio.stop();
}

#[test]
fn a_message_that_is_too_long_costs_nothing_that_was_written() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("frame_size_max", 2048)
        .routes(&GOODBYE.replace("evapi_close();", ""))
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send([b'x'; 1024]);
    kamailio.wait_counter("delivered", 501);
    client.try_send_raw(b"4096:");
    kamailio.wait_counted("closed", 1);
    client.try_send_raw(&[b'x'; 4096]);
    let rest = client.rest();
    assert_eq!(rest.len(), 501);
    assert_eq!(rest[500], "LAST");
    kamailio.stop();
}
