//! What an operator sees and does: clients, counters, closing one, the names of processes.

use serde_json::{Value, json};

use super::client::Client;
use super::listener::{ECHO, RELAY, clients, on, tagged};
use crate::require::needs;
use crate::{port, process, turn, wait};

const COUNTERS: [&str; 22] = [
    "relayed",
    "accepted",
    "refused",
    "refused_full",
    "refused_oversized",
    "refused_invalid",
    "refused_stopping",
    "delivered",
    "undelivered",
    "received",
    "received_oversized",
    "consumed",
    "unrouted",
    "discarded",
    "connections",
    "disconnections",
    "clients_refused",
    "clients_closed_full",
    "frames_dropped",
    "garbage",
    "logins_refused",
    "async_nobody",
];

#[test]
fn the_clients_are_a_structure() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).routes(ECHO).start();
    assert!(clients(&kamailio).is_empty());
    let mut first = tagged(&kamailio, port, "one");
    let second = Client::connect(&kamailio, port);
    first.send("hello");
    assert_eq!(first.text(), "hello");
    let all = clients(&kamailio);
    assert_eq!(all.len(), 2, "{all:?}");
    // It counts a frame when it was written: the client may have it before.
    let counted = |client: &Client| {
        wait::until_some("its frame is counted", || {
            let shown = client.shown(&kamailio)?;
            (shown["frames_out"] != 0).then_some(shown)
        })
    };
    let (one, two) = (counted(&first), counted(&second));
    for (shown, index, client) in [(&one, 0, &first), (&two, 1, &second)] {
        assert_eq!(shown["conidx"], index, "{shown}");
        assert_eq!(shown["address"], "127.0.0.1", "{shown}");
        assert_eq!(shown["port"], client.local_port(), "{shown}");
        assert_eq!(shown["state"], "up", "{shown}");
        assert!(!shown["since"].is_null(), "{shown}");
        assert_eq!(
            (&shown["buffered"], &shown["dropped"]),
            (&json!(0), &json!(0)),
            "{shown}"
        );
    }
    assert_eq!(one["tag"], "one");
    // "tag one" and "hello" in, "hello" out; bytes are those on the wire, or those of the data.
    assert_eq!(
        (&one["frames_in"], &one["frames_out"]),
        (&json!(2), &json!(1)),
        "{one}"
    );
    let bytes = |shown: &Value, name: &str| shown[name].as_u64().expect("a number of bytes");
    assert!([12, 18].contains(&bytes(&one, "bytes_in")), "{one}");
    assert!([5, 8].contains(&bytes(&one, "bytes_out")), "{one}");
    assert_eq!(
        (&two["frames_in"], &two["frames_out"]),
        (&json!(0), &json!(1)),
        "{two}"
    );
    kamailio.stop();
}

#[test]
fn an_operator_closes_a_client() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(&format!(
            "{ECHO}\nevent_route[evapi:connection-closed] {{ $var(count) = $shtinc(count=>closed); }}"
        ))
        .start();
    let mut first = Client::connect(&kamailio, port);
    let mut second = Client::connect(&kamailio, port);
    kamailio.rpc("evapi.close", &[json!(second.index(&kamailio))]);
    assert!(second.rest().is_empty());
    kamailio.wait_counted("closed", 1);
    wait::until("it is shown no more", || clients(&kamailio).len() == 1);
    first.send("still here");
    assert_eq!(first.text(), "still here");
    for nobody in [1, 7, 100_000] {
        let answer = kamailio.try_rpc("evapi.close", &[json!(nobody)]);
        assert!(
            answer.as_ref().is_err_and(|error| error.contains("404")),
            "index {nobody}: {answer:?}"
        );
    }
    assert_eq!(kamailio.counted("closed"), 1);
    kamailio.stop();
}

#[test]
fn the_counters_tell_what_happened() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(r#"event_route[evapi:message-received] { $var(x) = $evapi(msg); }"#)
        .request(
            r#"if ($rU == "bad") { evapi_relay("$avp(none)"); $var(answer) = "rc=" + $rc; return; }
               evapi_relay("$rU"); $var(answer) = "rc=" + $rc;"#,
        )
        .start();
    let mut sip = kamailio.sip();
    for _ in 0..3 {
        assert_eq!(sip.message("nobody", b""), "rc=1");
    }
    kamailio.wait_counter("undelivered", 3);
    let mut client = Client::connect(&kamailio, port);
    for _ in 0..20 {
        assert_eq!(sip.message("good", b""), "rc=1");
        assert_eq!(client.text(), "good");
    }
    for _ in 0..7 {
        assert_eq!(sip.message("bad", b""), "rc=-1");
    }
    for _ in 0..5 {
        client.send("x");
    }
    kamailio.wait_counter("delivered", 20);
    kamailio.wait_counter("received", 5);
    kamailio.wait_counter("consumed", 5);
    drop(client);
    kamailio.wait_counter("disconnections", 1);
    let stats = kamailio.rpc("evapi.stats", &[]);
    let expected = [
        ("relayed", 30),
        ("accepted", 23),
        ("refused", 7),
        ("refused_invalid", 7),
        ("delivered", 20),
        ("undelivered", 3),
        ("received", 5),
        ("connections", 1),
        ("disconnections", 1),
    ];
    for (name, value) in expected {
        assert_eq!(stats[name], value, "{name} in {stats}");
    }
    // The same names as Kamailio's own statistics, with the same numbers.
    let fetched = kamailio.rpc("stats.fetch", &[json!("evapi:")]);
    for name in COUNTERS {
        let shown = &fetched[format!("evapi.{name}")];
        let value = stats[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {stats}"));
        assert_eq!(
            shown.as_str().unwrap_or_default(),
            value.to_string(),
            "{name} in {fetched}"
        );
    }
    kamailio.stop();
}

#[test]
fn a_message_without_a_route_is_counted() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).start();
    let mut client = Client::connect(&kamailio, port);
    client.send("for nobody");
    kamailio.wait_counter("unrouted", 1);
    assert_eq!(kamailio.counter("received"), 1);
    kamailio.stop();
}

#[test]
fn the_status_names_the_listeners() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port).request(RELAY).start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    let connector = || {
        let status = kamailio.rpc("sipbus.status", &[]);
        let all = status["connectors"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|each| each["name"] == "evapi")
    };
    wait::until("it is connected", || {
        connector().is_some_and(|evapi| evapi["state"] == "connected")
    });
    let evapi = connector().unwrap();
    assert!(
        evapi["server"]
            .as_str()
            .unwrap()
            .contains(&port.to_string()),
        "{evapi}"
    );
    for field in ["process", "used", "size", "accepted", "refused"] {
        assert!(evapi["lanes"][0][field].is_u64(), "{evapi}");
    }
    let engine = kamailio.engine().expect("an engine");
    assert!(process::command_line(engine).contains("sipbus-engine"));
    kamailio.stop();
}

#[test]
fn the_processes_have_names() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let kamailio = on(port::free()).number("workers", 3).start();
    let list = kamailio.rpc("core.psx", &[]);
    let names = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|each| each["DSC"].as_str());
    let names: Vec<&str> = names
        .filter(|name| name.contains("evapi") || name.contains("sipbus"))
        .collect();
    for name in [
        "evapi worker: 0",
        "evapi worker: 1",
        "evapi worker: 2",
        "sipbus supervisor",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(names.len(), 4, "{names:?}");
    kamailio.stop();
}
