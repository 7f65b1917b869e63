//! Events: one `connection-new`, the messages, exactly one `connection-closed`, in this order.

use super::client::Client;
use super::listener::{on, tagged};
use crate::kamailio::Config;
use crate::require::needs;
use crate::{port, turn, wait};

/// Tells the client with the tag `observer` about every event of the others, and counts them.
const TELL: &str = r#"
event_route[evapi:connection-new] {
    $var(count) = $shtinc(count=>new);
    evapi_multicast("new $evapi(conidx) $evapi(srcaddr) $evapi(srcport) $evapi(tag) $evapi(msg)", "observer");
}
event_route[evapi:message-received] {
    if ($(evapi(msg){s.select,0, }) == "tag") { evapi_set_tag("$(evapi(msg){s.select,1, })"); exit; }
    $var(count) = $shtinc(count=>messages);
    evapi_multicast("message $evapi(conidx) $evapi(srcaddr) $evapi(srcport) $evapi(tag) $evapi(msg)", "observer");
    if ($evapi(msg) == "close me") { evapi_close(); }
}
event_route[evapi:connection-closed] {
    $var(count) = $shtinc(count=>closed);
    evapi_multicast("closed $evapi(conidx) $evapi(srcaddr) $evapi(srcport) $evapi(tag) $evapi(msg)", "observer");
}
"#;

fn telling(port: u16) -> Config {
    // One worker: the order of relays is kept within a process.
    on(port).number("max_clients", 64).routes(TELL)
}

#[test]
fn each_event_sees_its_client() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = telling(port).start();
    let mut observer = tagged(&kamailio, port, "observer");
    let mut client = Client::connect(&kamailio, port);
    let who = format!(
        "{} 127.0.0.1 {}",
        client.index(&kamailio),
        client.local_port()
    );
    assert_eq!(observer.text(), format!("new {who} <null> <null>"));
    client.send("hello");
    assert_eq!(observer.text(), format!("message {who} <null> hello"));
    client.send("tag mine");
    client.send("again");
    assert_eq!(observer.text(), format!("message {who} mine again"));
    drop(client);
    assert_eq!(observer.text(), format!("closed {who} mine <null>"));
    kamailio.stop();
}

#[test]
fn outside_an_event_the_variables_are_null() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .request(
            r#"if ($evapi(msg) == $null && $evapi(srcaddr) == $null && $evapi(srcport) == $null
                       && $evapi(conidx) == $null && $evapi(tag) == $null) { $var(answer) = "all null"; }"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "all null");
    kamailio.stop();
}

#[test]
fn messages_sent_right_before_the_close_are_handled_before_it() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const ROUNDS: u64 = 300;
    let port = port::free();
    // Every event must find its client as the one before has left it.
    let kamailio = on(port)
        .number("workers", 4)
        .number("max_clients", 512)
        .routes(
            r#"event_route[evapi:connection-new] {
                   if ($shtinc(count=>client$evapi(srcport)) != 1) { $var(count) = $shtinc(count=>wrong); }
               }
               event_route[evapi:message-received] {
                   $var(expected) = $shtinc(count=>client$evapi(srcport));
                   if ($(evapi(msg){s.int}) != $var(expected)) { $var(count) = $shtinc(count=>wrong); }
               }
               event_route[evapi:connection-closed] {
                   if ($shtinc(count=>client$evapi(srcport)) != 4) { $var(count) = $shtinc(count=>wrong); }
                   $sht(count=>client$evapi(srcport)) = 0;
                   $var(count) = $shtinc(count=>closed);
               }"#,
        )
        .start();
    for _ in 0..ROUNDS {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        client.send("2");
        client.send("3");
    }
    kamailio.wait_counted("closed", ROUNDS);
    assert_eq!(kamailio.counted("wrong"), 0);
    kamailio.stop();
}

#[test]
fn every_way_to_end_gives_exactly_one_closed() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = telling(port).start();
    let mut observer = tagged(&kamailio, port, "observer");
    let ways = [
        "leaves",
        "is reset",
        "is closed by the script",
        "is closed and leaves",
    ];
    for (round, way) in ways.iter().cycle().take(40).enumerate() {
        let mut client = tagged(&kamailio, port, "observer");
        let index = client.index(&kamailio);
        assert!(observer.text().starts_with("new "));
        match *way {
            "leaves" => drop(client),
            "is reset" => {
                // Something to leave unread: that is what makes Linux send a reset.
                observer.send("unread");
                assert!(observer.text().starts_with("message "));
                client.reset();
            }
            _ => {
                client.send("close me");
                assert!(observer.text().ends_with("close me"));
                if *way == "is closed by the script" {
                    assert!(client.rest().last().unwrap().ends_with("close me"));
                }
            }
        }
        let text = observer.text();
        assert!(
            text.starts_with(&format!("closed {index} ")),
            "{way}: {text}"
        );
        kamailio.wait_counted("closed", round as u64 + 1);
    }
    // A second one would have come before what follows.
    observer.send("end");
    assert!(observer.text().ends_with(" end"));
    assert_eq!(kamailio.counted("closed"), 40);
    kamailio.stop();
}

#[test]
fn a_close_in_connection_new_ends_the_client() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(
            r#"event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); if ($sht(count=>open) == 0) { evapi_close(); } }
               event_route[evapi:message-received] { $var(count) = $shtinc(count=>messages); evapi_relay("$evapi(msg)"); }
               event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }"#,
        )
        .start();
    // Many in a row: the next one gets the index and the descriptor of the one before.
    for round in 1..=100 {
        let mut client = Client::dial(([127, 0, 0, 1], port).into());
        client.try_send_raw(b"5:hello,");
        assert!(client.rest().is_empty());
        kamailio.wait_counted("closed", round);
    }
    assert_eq!(kamailio.counted("new"), 100);
    assert_eq!(kamailio.counted("messages"), 0);
    kamailio.set("open", 1);
    let mut client = Client::connect(&kamailio, port);
    client.send("admitted");
    assert_eq!(client.text(), "admitted");
    assert_eq!(kamailio.counted("closed"), 100);
    kamailio.stop();
}

#[test]
fn an_event_leaves_nothing_to_the_next() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .before("loadmodule \"textops.so\"")
        .routes(
            r#"event_route[evapi:message-received] {
                   evapi_relay("$evapi(msg): $avp(left) $xavp(left=>x) $hdr(X-Left) $sel(cfg_get.core.debug)");
                   $avp(left) = "avp"; $xavp(left=>x) = "xavp"; append_hf("X-Left: header\r\n");
                   setflag(5);
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    for message in ["one", "two", "three"] {
        client.send(message);
        assert_eq!(client.text(), format!("{message}: <null> <null> <null> 2"));
    }
    kamailio.stop();
}

#[test]
fn events_leave_memory_as_it_was() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .before("loadmodule \"textops.so\"")
        .routes(
            r#"event_route[evapi:connection-new] { $avp(x) = "new"; }
               event_route[evapi:connection-closed] { $avp(x) = "closed"; $var(count) = $shtinc(count=>closed); }
               event_route[evapi:message-received] {
                   $avp(x) = $evapi(msg); append_hf("X-Left: header\r\n"); evapi_set_tag("tag"); $var(count) = $shtinc(count=>done);
               }"#,
        )
        .start();
    let mut rounds = 0;
    let mut load = || {
        rounds += 1;
        for _ in 0..10 {
            let mut client = Client::connect(&kamailio, port);
            for _ in 0..200 {
                client.send([b'x'; 256]);
            }
        }
        kamailio.wait_counted("done", rounds * 2000);
        kamailio.wait_counted("closed", rounds * 10);
        wait::until("the clients are gone", || {
            super::listener::clients(&kamailio).is_empty()
        });
        kamailio.rpc("core.shmmem", &[])["real_used"].clone()
    };
    let before = load();
    assert_eq!(before, load());
    kamailio.stop();
}
