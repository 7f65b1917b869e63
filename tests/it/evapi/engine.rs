//! The engine killed: clients come back to a socket that never refused them, and the script hears
//! of each that was lost. The engine stopped: what it cannot be told has not happened.

use rustix::process::Signal;

use super::client::Client;
use super::listener::{clients, on};
use super::suspend::{ASK, asking, question};
use crate::require::needs;
use crate::{port, process, turn, wait};

#[test]
fn each_lost_client_has_one_closed_and_may_come_back() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    const COUNT: u64 = 6;
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 3)
        .routes(
            r#"event_route[evapi:connection-new] { $var(count) = $shtinc(count=>new); }
               event_route[evapi:connection-closed] { $var(count) = $shtinc(count=>closed); }
               event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }"#,
        )
        .start();
    for round in 1..=3 {
        let mut all: Vec<Client> = (0..COUNT)
            .map(|_| Client::connect(&kamailio, port))
            .collect();
        assert_eq!(kamailio.counted("new"), round * COUNT + (round - 1));
        kamailio.kill_engine();
        for client in &mut all {
            client.until_cut();
        }
        kamailio.wait_counted("closed", round * COUNT + (round - 1));
        wait::until("none is shown any more", || clients(&kamailio).is_empty());
        let mut back = Client::connect(&kamailio, port);
        back.send("back again");
        assert_eq!(back.text(), "back again");
        // A second closed for one of them would have been there by now.
        assert_eq!(kamailio.counted("closed"), round * COUNT + (round - 1));
        drop(back);
        kamailio.wait_counted("closed", round * (COUNT + 1));
    }
    kamailio.stop();
}

#[test]
fn a_connection_made_while_no_engine_runs_is_served() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .routes(r#"event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }"#)
        .start();
    let engine = kamailio.engine().expect("the engine runs");
    process::send(engine, Signal::KILL);
    // The port does not refuse: Kamailio itself holds it.
    for _ in 0..5 {
        Client::dial(([127, 0, 0, 1], port).into());
    }
    let mut client = Client::connect(&kamailio, port);
    client.send("hello");
    assert_eq!(client.text(), "hello");
    kamailio.stop();
}

#[test]
fn an_async_call_without_an_engine_is_answered() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port)
        .after("modparam(\"tm\", \"fr_timer\", 1000)")
        .request(ASK)
        .start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "before", b"");
    let (key, _) = question(&mut client);
    client.send(format!("{key}:yes"));
    assert_eq!(sip.answer(number), (200, "yes".into()));
    kamailio.kill_engine();
    // By the script, which was told false, or by tm's timer: never not at all.
    let number = sip.send("MESSAGE", "meanwhile", b"");
    assert!([503, 408].contains(&sip.answer(number).0));
    let mut client = Client::connect(&kamailio, port);
    let number = sip.send("MESSAGE", "after", b"");
    let (key, text) = loop {
        let (key, text) = question(&mut client);
        if text == "after" {
            break (key, text);
        }
    };
    client.send(format!("{key}:{text}"));
    assert_eq!(sip.answer(number), (200, "after".into()));
    kamailio.stop();
}

#[test]
fn a_close_that_finds_no_room_leaves_the_client_as_it_is() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    // What is relayed takes no more room than the order to close.
    let kamailio = on(port)
        .number("queue_size", 65_536)
        .number("message_size_max", 16_384)
        .routes(
            r#"event_route[evapi:message-received] {
                   $var(count) = $shtinc(count=>begun);
                   while ($sht(count=>begun) > $sht(count=>allowed)) { usleep("5000"); }
                   if ($evapi(msg) == "fill") { while (evapi_relay("x")) { $var(full) = 0; } }
                   if (evapi_close()) { $var(count) = $shtinc(count=>closed); }
                   else { $var(count) = $shtinc(count=>refused); }
               }"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send("fill");
    kamailio.wait_counted("begun", 1);
    let engine = kamailio.engine().expect("the engine runs");
    process::send(engine, Signal::STOP);
    kamailio.set("allowed", 1);
    kamailio.wait_counted("refused", 1);
    process::send(engine, Signal::CONT);
    // It may hand the next message out before it has taken what fills the queue.
    wait::until("the queue is empty", || kamailio.queued() == 0);
    kamailio.set("allowed", 2);
    client.send("close");
    client.until_cut();
    kamailio.wait_counted("closed", 1);
    kamailio.stop();
}
