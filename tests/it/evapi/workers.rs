//! Workers: they share the work, keep each client's order, and one that sleeps delays its client only.

use std::collections::{HashMap, HashSet};

use super::client::Client;
use super::listener::{on, tagged};
use crate::require::needs;
use crate::{port, turn};

/// Checks that a client's messages come as they are numbered, from 1 on, and counts the processes.
const CHECK: &str = r#"
event_route[evapi:message-received] {
    $var(expected) = $shtinc(count=>client$evapi(conidx));
    if ($(evapi(msg){s.int}) != $var(expected)) { $var(count) = $shtinc(count=>wrong); }
    if ($shtinc(count=>process$pp) == 1) { $var(count) = $shtinc(count=>processes); }
    $var(count) = $shtinc(count=>done);
}
"#;

#[test]
fn each_clients_order_is_kept_with_several_workers() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const EACH: u64 = 2000;
    const CLIENTS: u64 = 8;
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 4)
        .number("max_clients", 16)
        .routes(CHECK)
        .start();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::connect(&kamailio, port))
        .collect();
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                for number in 1..=EACH {
                    client.send(number.to_string());
                }
            });
        }
    });
    kamailio.wait_counted("done", EACH * CLIENTS);
    assert_eq!(kamailio.counted("wrong"), 0);
    assert!(kamailio.counted("processes") > 1, "one worker did it all");
    kamailio.stop();
}

#[test]
fn clients_that_begin_at_once_are_spread_evenly() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const EACH: u64 = 300;
    const CLIENTS: u64 = 8;
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 4)
        .number("max_clients", 16)
        // Each handles what two of them send; a third one is too many.
        .routes(&format!(
            r#"event_route[evapi:message-received] {{
                   usleep("500");
                   $var(own) = $shtinc(count=>process$pp);
                   if ($var(own) == {}) {{ $var(count) = $shtinc(count=>overloaded); }}
                   $var(count) = $shtinc(count=>done);
               }}"#,
            3 * EACH
        ))
        .start();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::connect(&kamailio, port))
        .collect();
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || (0..EACH).for_each(|_| client.send("x")));
        }
    });
    kamailio.wait_counted("done", EACH * CLIENTS);
    assert_eq!(kamailio.counted("overloaded"), 0);
    kamailio.stop();
}

#[test]
fn what_one_clients_routes_relay_keeps_its_order() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const EACH: usize = 2000;
    const CLIENTS: usize = 8;
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 4)
        .number("max_clients", 16)
        .routes(
            r#"event_route[evapi:message-received] {
                   if ($evapi(msg) == "tag observer") { evapi_set_tag("observer"); exit; }
                   while (!evapi_multicast("$evapi(conidx):$evapi(msg)", "observer")) { usleep("1000"); }
               }"#,
        )
        .start();
    let mut observer = tagged(&kamailio, port, "observer");
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| Client::connect(&kamailio, port))
        .collect();
    std::thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || {
                for number in 0..EACH {
                    client.send(number.to_string());
                }
            });
        }
        // Whichever worker relayed it.
        let mut next: HashMap<String, usize> = HashMap::new();
        for _ in 0..EACH * CLIENTS {
            let text = observer.text();
            let (from, number) = text.split_once(':').unwrap();
            let expected = next.entry(from.into()).or_default();
            assert_eq!(number, expected.to_string(), "of client {from}");
            *expected += 1;
        }
    });
    kamailio.stop();
}

#[test]
fn a_route_that_sleeps_delays_its_own_client_only() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 2)
        .routes(
            r#"event_route[evapi:message-received] {
                   if ($evapi(msg) == "sleep") {
                       $var(count) = $shtinc(count=>asleep);
                       while ($sht(count=>wake) == 0) { usleep("1000"); }
                   }
                   evapi_relay("$evapi(msg)");
               }"#,
        )
        .start();
    let mut sleeper = Client::connect(&kamailio, port);
    // More than there are workers left: none of them may be tied to the one that sleeps.
    let mut others: Vec<Client> = (0..4).map(|_| Client::connect(&kamailio, port)).collect();
    sleeper.send("sleep");
    sleeper.send("after");
    kamailio.wait_counted("asleep", 1);
    let mut late = Client::connect(&kamailio, port);
    others.push(late);
    for number in 0..others.len() {
        others[number].send(format!("awake {number}"));
        assert_eq!(others[0].text(), format!("awake {number}"));
    }
    kamailio.set("wake", 1);
    assert_eq!(others[0].text(), "sleep");
    assert_eq!(others[0].text(), "after");
    late = others.pop().unwrap();
    assert_eq!(late.text(), "awake 0");
    kamailio.stop();
}

#[test]
fn all_workers_work_for_one_client_where_order_is_given_up() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 4)
        .number("spread_messages", 1)
        .routes(
            r#"event_route[evapi:message-received] {
                   # Each holds its worker until all four are at it.
                   $var(count) = $shtinc(count=>here);
                   while ($sht(count=>here) < 4) { usleep("1000"); }
                   evapi_relay("$pp:$evapi(msg)");
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    for number in 0..4 {
        client.send(number.to_string());
    }
    let mut processes = HashSet::new();
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let text = client.text();
        let (process, number) = text.split_once(':').unwrap();
        processes.insert(process.to_string());
        numbers.push(number.to_string());
    }
    numbers.sort();
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    assert_eq!(processes.len(), 4);
    kamailio.stop();
}

#[test]
fn messages_on_all_workers_are_handled_before_the_close() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 2)
        .number("spread_messages", 1)
        .routes(
            r#"event_route[evapi:message-received] {
                   if ($evapi(msg) == "slow") {
                       $var(i) = 0;
                       # The close has time to come too early.
                       while ($sht(count=>closed) == 0 && $var(i) < 300) { usleep("1000"); $var(i) = $var(i) + 1; }
                   }
                   $var(count) = $shtinc(count=>done);
               }
               event_route[evapi:connection-closed] {
                   if ($sht(count=>done) != 2) { $var(count) = $shtinc(count=>wrong); }
                   $var(count) = $shtinc(count=>closed);
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send("slow");
    client.send("quick");
    drop(client);
    kamailio.wait_counted("closed", 1);
    assert_eq!(kamailio.counted("wrong"), 0);
    kamailio.stop();
}

#[test]
fn more_events_than_the_inbox_holds_are_all_handled() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    const COUNT: usize = 20_000;
    let port = port::free();
    let kamailio = on(port)
        .number("inbox_size", 65_536)
        .number("frame_size_max", 16_384)
        .routes(r#"event_route[evapi:message-received] { $var(count) = $shtinc(count=>done); }"#)
        .start();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&kamailio, port)).collect();
    // Each client is held back by its own TCP connection, so none of these may be lost.
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                for _ in 0..COUNT / 4 {
                    client.send([b'x'; 1024]);
                }
            });
        }
    });
    kamailio.wait_counted("done", COUNT as u64);
    assert_eq!(kamailio.counter("consumed"), COUNT as u64);
    kamailio.stop();
}
