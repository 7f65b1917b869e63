//! Indexes are used again, and nothing of a client is left for the next one.

use super::client::Client;
use super::listener::{ECHO, clients, on, tagged};
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::{port, turn, wait};

/// Drops a client, and waits until its index is free.
fn leaves(kamailio: &Kamailio, client: Client) {
    let left = client.local_port();
    drop(client);
    wait::until("the client is gone", || {
        !clients(kamailio)
            .iter()
            .any(|client| client["port"] == left)
    });
}

#[test]
fn the_lowest_free_index_is_used_again() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).routes(ECHO).start();
    let mut all: Vec<Client> = Vec::new();
    for expected in 0..4 {
        let client = Client::connect(&kamailio, port);
        assert_eq!(client.index(&kamailio), expected);
        all.push(client);
    }
    leaves(&kamailio, all.remove(2));
    leaves(&kamailio, all.remove(1));
    for expected in [1, 2, 4] {
        let client = Client::connect(&kamailio, port);
        assert_eq!(client.index(&kamailio), expected);
        all.push(client);
    }
    kamailio.stop();
}

#[test]
fn a_tag_ends_with_its_connection() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(&format!("{ECHO}\nevent_route[evapi:connection-closed] {{ return; }}"))
        .request(r#"evapi_multicast("secret", "trusted"); evapi_unicast("secret", "trusted"); evapi_relay("end");"#)
        .start();
    for _ in 0..20 {
        let trusted = tagged(&kamailio, port, "trusted");
        let index = trusted.index(&kamailio);
        leaves(&kamailio, trusted);
        let mut next = Client::connect(&kamailio, port);
        assert_eq!(next.index(&kamailio), index);
        assert!(
            next.shown(&kamailio).unwrap()["tag"]
                .as_str()
                .is_none_or(str::is_empty)
        );
        kamailio.sip().message("x", b"");
        assert_eq!(next.text(), "end");
        leaves(&kamailio, next);
    }
    kamailio.stop();
}

#[test]
fn a_half_received_frame_ends_with_its_connection() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).routes(ECHO).start();
    for half in ["1", "10:", "10:abc", "10:abcdefghij"] {
        let mut client = Client::connect(&kamailio, port);
        let index = client.index(&kamailio);
        client.send_raw(half.as_bytes());
        client.taken();
        leaves(&kamailio, client);
        let mut next = Client::connect(&kamailio, port);
        assert_eq!(next.index(&kamailio), index);
        next.send("hello");
        assert_eq!(next.text(), "hello", "after {half:?}");
        leaves(&kamailio, next);
    }
    kamailio.stop();
}

#[test]
fn what_was_written_to_one_never_reaches_the_next() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(ECHO)
        .request(r#"$var(i) = 0; while ($var(i) < 1000) { if (evapi_relay("old $rb")) { $var(i) = $var(i) + 1; } }"#)
        .start();
    // Too much for the socket: some of it waits in the engine when the client goes.
    let client = Client::connect(&kamailio, port);
    for _ in 0..8 {
        kamailio.sip().message("x", &[b'x'; 1024]);
    }
    kamailio.wait_counter("delivered", 8000);
    let index = client.index(&kamailio);
    leaves(&kamailio, client);
    let mut next = Client::connect(&kamailio, port);
    assert_eq!(next.index(&kamailio), index);
    next.send("new");
    assert_eq!(next.text(), "new");
    kamailio.stop();
}

#[test]
fn one_client_too_many_is_closed_at_once() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("max_clients", 2)
        .routes(
            r#"event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); }
               event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
               event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }"#,
        )
        .start();
    let mut first = Client::connect(&kamailio, port);
    let second = Client::connect(&kamailio, port);
    for refused in 1..=3 {
        let mut third = Client::dial(([127, 0, 0, 1], port).into());
        assert!(third.rest().is_empty());
        kamailio.wait_counter("clients_refused", refused);
    }
    // It was no client, so it had no events; the others did not notice.
    first.send("still here");
    assert_eq!(first.text(), "still here");
    assert_eq!(
        (kamailio.counted("new"), kamailio.counted("closed")),
        (2, 0)
    );
    leaves(&kamailio, second);
    let mut third = Client::connect(&kamailio, port);
    third.send("in at last");
    assert_eq!(third.text(), "in at last");
    assert_eq!(kamailio.counter("clients_refused"), 3);
    kamailio.stop();
}

#[test]
fn eight_clients_are_the_default() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).start();
    let eight: Vec<Client> = (0..8).map(|_| Client::connect(&kamailio, port)).collect();
    let mut ninth = Client::dial(([127, 0, 0, 1], port).into());
    assert!(ninth.rest().is_empty());
    drop(eight);
    kamailio.stop();
}

#[test]
fn the_next_client_begins_when_the_one_before_has_ended() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const ROUNDS: u64 = 10;
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 4)
        .routes(
            r#"event_route[evapi:connection-new] {
                   if ($shtinc(count=>index$evapi(conidx)) != 1) { $var(count) = $shtinc(count=>wrong); }
               }
               event_route[evapi:connection-closed] {
                   # The next one has time to come.
                   usleep("50000");
                   $sht(count=>index$evapi(conidx)) = 0;
                   $var(count) = $shtinc(count=>closed);
               }"#,
        )
        .start();
    for _ in 0..ROUNDS {
        let client = Client::connect(&kamailio, port);
        leaves(&kamailio, client);
    }
    kamailio.wait_counted("closed", ROUNDS);
    assert_eq!(kamailio.counted("wrong"), 0);
    kamailio.stop();
}
