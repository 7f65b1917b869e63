//! The functions that send: from which routes they work, whom they reach, what they return.

use serde_json::json;

use super::client::Client;
use super::listener::{ECHO, RELAY, on, tagged};
use crate::require::needs;
use crate::{port, turn, wait};

#[test]
fn a_relay_reaches_every_client() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).request(RELAY).start();
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(&kamailio, port)).collect();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    for client in &mut clients {
        // To the byte: a netstring without blanks or line ends.
        assert_eq!(client.raw(14), b"10:from alice,");
    }
    kamailio.stop();
}

#[test]
fn a_relay_with_nobody_there_is_accepted() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).request(RELAY).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    // And is not kept for who comes later.
    kamailio.wait_counter("undelivered", 1);
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("bob", b""), "rc=1");
    assert_eq!(client.text(), "from bob");
    kamailio.stop();
}

#[test]
fn arguments_may_be_bare_variables() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(ECHO)
        .request(
            r#"$var(data) = "data of " + $rU; $var(tag) = "one";
               evapi_relay($var(data)); $var(answer) = "" + $rc;
               evapi_multicast($var(data), $var(tag)); $var(answer) = $var(answer) + $rc;
               evapi_unicast($var(data), $var(tag)); $var(answer) = $var(answer) + $rc;"#,
        )
        .start();
    let mut client = tagged(&kamailio, port, "one");
    assert_eq!(kamailio.sip().message("carol", b""), "111");
    for _ in 0..3 {
        assert_eq!(client.text(), "data of carol");
    }
    kamailio.stop();
}

#[test]
fn a_multicast_reaches_all_with_exactly_that_tag() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(ECHO)
        .request(
            r#"evapi_multicast("for $rU", "$rU"); $var(answer) = "rc=" + $rc;
               evapi_relay("end");"#,
        )
        .start();
    let mut clients: Vec<(&str, Client)> = ["ab", "abc", "ab", "a"]
        .map(|tag| (tag, tagged(&kamailio, port, tag)))
        .into();
    clients.push(("", Client::connect(&kamailio, port)));
    for wanted in ["ab", "abc", "a", "abcd"] {
        assert_eq!(kamailio.sip().message(wanted, b""), "rc=1");
        for (tag, client) in &mut clients {
            if *tag == wanted {
                assert_eq!(client.text(), format!("for {wanted}"));
            }
            assert_eq!(client.text(), "end", "{tag} got what is for {wanted}");
        }
    }
    kamailio.stop();
}

#[test]
fn a_unicast_reaches_the_lowest_index_with_that_tag() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(ECHO)
        .request(r#"evapi_unicast("x", "same"); $var(answer) = "rc=" + $rc; evapi_relay("end");"#)
        .start();
    let mut other = tagged(&kamailio, port, "other");
    let mut same: Vec<Client> = (0..3).map(|_| tagged(&kamailio, port, "same")).collect();
    while !same.is_empty() {
        assert_eq!(kamailio.sip().message("x", b""), "rc=1");
        assert_eq!(same[0].text(), "x");
        for client in &mut same {
            assert_eq!(client.text(), "end");
        }
        assert_eq!(other.text(), "end");
        let gone = same.remove(0).local_port();
        wait::until("the client is gone", || {
            let left = super::listener::clients(&kamailio);
            !left.iter().any(|client| client["port"] == gone)
        });
    }
    kamailio.stop();
}

#[test]
fn a_tag_can_be_changed() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(ECHO)
        .request(r#"evapi_multicast("for $rU", "$rU"); evapi_relay("end");"#)
        .start();
    let mut client = tagged(&kamailio, port, "before");
    client.send("tag after");
    wait::until("the tag is changed", || {
        client.shown(&kamailio).unwrap()["tag"] == "after"
    });
    for (tag, expected) in [("before", None), ("after", Some("for after"))] {
        kamailio.sip().message(tag, b"");
        if let Some(expected) = expected {
            assert_eq!(client.text(), expected);
        }
        assert_eq!(client.text(), "end");
    }
    kamailio.stop();
}

#[test]
fn a_close_ends_the_client_of_the_event() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(
            r#"event_route[evapi:message-received] {
                   evapi_unicast("bye", "none");
                   evapi_relay("last words");
                   if ($evapi(msg) == "0") { evapi_close(); } else { evapi_close("now"); }
                   $var(rc) = $rc;
                   evapi_relay("rc=$var(rc)");
               }"#,
        )
        .start();
    let mut observer = Client::connect(&kamailio, port);
    for arguments in ["0", "1"] {
        let mut client = Client::connect(&kamailio, port);
        client.send(arguments);
        // What was relayed before the close is written first.
        assert_eq!(client.rest()[0], "last words");
        assert_eq!(observer.text(), "last words");
        assert_eq!(observer.text(), "rc=1");
    }
    kamailio.stop();
}

#[test]
fn a_timer_relays() {
    needs!("kamailio", "evapi", "rtimer.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .ticking()
        .routes(r#"route[TICK] { evapi_relay("tick $pp"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    assert!(client.text().starts_with("tick "));
    assert!(client.text().starts_with("tick "));
    kamailio.stop();
}

#[test]
fn an_rpc_process_relays() {
    needs!("kamailio", "evapi", "tm.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .before("loadmodule \"tm.so\"")
        .routes(r#"event_route[tm:local-request] { evapi_relay("$rm $rU"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    let target = format!("sip:dave@127.0.0.1:{}", kamailio.port());
    let headers = "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:dave@127.0.0.1>\r\n";
    kamailio.rpc(
        "tm.t_uac_start",
        &[
            json!("INFO"),
            json!(target),
            json!("."),
            json!("."),
            json!(headers),
        ],
    );
    assert_eq!(client.text(), "INFO dave");
    kamailio.stop();
}

#[test]
fn an_event_worker_relays() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).routes(ECHO).start();
    let mut client = Client::connect(&kamailio, port);
    client.send("hello");
    assert_eq!(client.text(), "hello");
    kamailio.stop();
}

#[test]
fn order_is_kept_within_a_process() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 1000) {
                   if (evapi_relay("$pp:$var(n)")) { $var(n) = $var(n) + 1; $var(i) = $var(i) + 1; }
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let mut next = std::collections::HashMap::new();
    for _ in 0..20 {
        sip.message("x", b"");
        for _ in 0..1000 {
            let text = client.text();
            let (process, number) = text.split_once(':').unwrap();
            let expected: &mut u32 = next.entry(process.to_string()).or_default();
            assert_eq!(number.parse(), Ok(*expected), "from process {process}");
            *expected += 1;
        }
    }
    kamailio.stop();
}

#[test]
fn a_large_value_of_several_variables_arrives_whole() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .before("pv_buffer_size=65536")
        .request(r#"evapi_relay("$rb|$rU|$rb|$ci"); $var(answer) = "rc=" + $rc;"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    let body = [b'x'; 9000];
    assert_eq!(kamailio.sip().message("alice", &body), "rc=1");
    let text = client.text();
    let parts: Vec<&str> = text.split('|').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(lengths[..3], [9000, 5, 9000]);
    assert!(parts[3].starts_with("1@127.0.0.1"), "{}", parts[3]);
    kamailio.stop();
}
