//! The async functions: a request waits for the answer of the program, and costs no process.

use std::collections::HashMap;

use super::client::Client;
use super::listener::{on, tagged};
use crate::kamailio::Config;
use crate::require::needs;
use crate::sipp::Sipp;
use crate::{port, turn, wait};

/// `INDEX:LABEL:TEXT` resumes that transaction, which is answered with the text. Counts what
/// `t_continue` made of it.
pub(super) const ANSWERS: &str = r#"
event_route[evapi:message-received] {
    if ($(evapi(msg){s.select,0, }) == "tag") { evapi_set_tag("$(evapi(msg){s.select,1, })"); exit; }
    $var(index) = $(evapi(msg){s.select,0,:}{s.int});
    $var(label) = $(evapi(msg){s.select,1,:}{s.int});
    $var(text) = $(evapi(msg){s.select,2,:});
    t_continue("$var(index)", "$var(label)", "RESUMED");
    $var(count) = $shtinc(count=>answers);
}
route[RESUMED] {
    $var(count) = $shtinc(count=>resumed);
    send_reply("200", "$var(text)");
    exit;
}
"#;

/// Asks, with the key by which the answer finds the transaction.
pub(super) const ASK: &str = r#"
    if (evapi_async_relay("$T(id_index):$T(id_label):$rU")) { exit; }
    send_reply("503", "false $rc"); exit;"#;

pub(super) fn asking(port: u16) -> Config {
    on(port).suspending().routes(ANSWERS)
}

/// The key and the text of a question, whose key must be two numbers.
pub(super) fn question(client: &mut Client) -> (String, String) {
    let text = client.text();
    let (key, text) = text.rsplit_once(':').expect("a question");
    let (index, label) = key.split_once(':').expect("two parts of a key");
    assert!(
        index.parse::<u32>().is_ok() && label.parse::<u32>().is_ok(),
        "{key}"
    );
    (key.into(), text.into())
}

#[test]
fn an_answer_resumes_the_request() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    for user in ["alice", "bob"] {
        let number = sip.send("MESSAGE", user, b"");
        let (key, text) = question(&mut client);
        assert_eq!(text, user);
        client.send(format!("{key}:hello {user}"));
        assert_eq!(sip.answer(number), (200, format!("hello {user}")));
    }
    kamailio.stop();
}

#[test]
fn more_requests_than_workers_wait_at_once() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let sent: Vec<u32> = (0..64)
        .map(|call| sip.send("MESSAGE", &format!("u{call}"), b""))
        .collect();
    let questions: Vec<_> = sent.iter().map(|_| question(&mut client)).collect();
    // All wait for the program, and other requests are served meanwhile.
    assert!(sip.answers());
    for (key, user) in questions.iter().rev() {
        client.send(format!("{key}:for {user}"));
    }
    let answers = sent
        .iter()
        .map(|_| sip.receive(wait::watchdog()).expect("an answer"));
    let answers: HashMap<u32, _> = answers.map(|it| (it.0, (it.1, it.2))).collect();
    for (call, number) in sent.iter().enumerate() {
        assert_eq!(answers[number], (200, format!("for u{call}")));
    }
    kamailio.stop();
}

#[test]
fn under_load_every_call_gets_its_answer() {
    needs!("kamailio", "evapi", "tmx.so", "sipp");
    let _turn = turn::alone();
    const CALLS: u32 = 3000;
    let port = port::free();
    let kamailio = asking(port).number("workers", 2).request(ASK).start();
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(&kamailio, port)).collect();
    let load = Sipp::start("message.xml", kamailio.port(), 1000, CALLS);
    std::thread::scope(|scope| {
        // Both are asked about each call, and both answer: one of the two comes second.
        for client in &mut clients {
            scope.spawn(move || {
                for _ in 0..CALLS {
                    let (key, _) = question(client);
                    client.send(format!("{key}:yes"));
                }
            });
        }
    });
    load.succeed();
    kamailio.wait_counted("answers", u64::from(2 * CALLS));
    assert_eq!(kamailio.counted("resumed"), u64::from(CALLS));
    kamailio.stop();
}

#[test]
fn a_multicast_and_a_unicast_suspend_too() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port)
        .request(
            r#"if ($rU == "uni") { $var(tag) = "router";
                   if (evapi_async_unicast("$T(id_index):$T(id_label):$rU", $var(tag))) { exit; }
               } else {
                   if (evapi_async_multicast("$T(id_index):$T(id_label):$rU", "router")) { exit; }
               }
               send_reply("503", "false $rc"); exit;"#,
        )
        .start();
    let mut first = tagged(&kamailio, port, "router");
    let mut second = tagged(&kamailio, port, "router");
    let mut other = tagged(&kamailio, port, "other");
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "multi", b"");
    let (key, _) = question(&mut first);
    assert_eq!(question(&mut second).0, key);
    second.send(format!("{key}:second"));
    assert_eq!(sip.answer(number), (200, "second".into()));
    let number = sip.send("MESSAGE", "uni", b"");
    let (key, _) = question(&mut first);
    first.send(format!("{key}:first"));
    assert_eq!(sip.answer(number), (200, "first".into()));
    drop(kamailio);
    assert!(second.rest().is_empty() && other.rest().is_empty());
}

#[test]
fn one_transaction_is_suspended_twice() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .routes(
            r#"event_route[evapi:message-received] {
                   $var(index) = $(evapi(msg){s.select,0,:}{s.int});
                   $var(label) = $(evapi(msg){s.select,1,:}{s.int});
                   $var(text) = $(evapi(msg){s.select,2,:});
                   t_continue("$var(index)", "$var(label)", "RESUMED");
               }
               route[RESUMED] {
                   if ($var(text) =~ "^again") {
                       # Relaying works here too.
                       evapi_relay("resumed:$T(id_index):$var(text)");
                       if (evapi_async_relay("$T(id_index):$T(id_label):more")) { exit; }
                       send_reply("500", "false $rc"); exit;
                   }
                   send_reply("200", "$var(text)"); exit;
               }"#,
        )
        .request(ASK)
        .start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    for method in ["MESSAGE", "INVITE"] {
        let number = sip.send(method, "first", b"");
        let (key, text) = question(&mut client);
        assert_eq!(text, "first");
        for round in 0..3 {
            client.send(format!("{key}:again{round}"));
            let index = key.split(':').next().unwrap();
            assert_eq!(client.text(), format!("resumed:{index}:again{round}"));
            assert_eq!(question(&mut client), (key.clone(), "more".into()));
        }
        client.send(format!("{key}:done"));
        assert_eq!(sip.answer(number), (200, "done".into()));
    }
    kamailio.stop();
}

#[test]
fn a_transaction_that_exists_already_is_suspended() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(&format!("t_newtran();{ASK}")).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    let (key, _) = question(&mut client);
    client.send(format!("{key}:yes"));
    assert_eq!(sip.answer(number), (200, "yes".into()));
    kamailio.stop();
}

#[test]
fn a_repeated_request_is_not_asked_about_again() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "first", b"");
    let (key, text) = question(&mut client);
    assert_eq!(text, "first");
    for _ in 0..3 {
        sip.send_again();
    }
    // Asked after those three, and the only one that is: they were the same request.
    let next = sip.send("MESSAGE", "next", b"");
    let (next_key, text) = question(&mut client);
    assert_eq!(text, "next");
    client.send(format!("{key}:one"));
    assert_eq!(sip.answer(number), (200, "one".into()));
    client.send(format!("{next_key}:two"));
    assert_eq!(sip.answer(next), (200, "two".into()));
    kamailio.stop();
    assert!(client.rest().is_empty());
}

#[test]
fn without_tm_a_script_that_suspends_does_not_start() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let config = on(port::free()).request(r#"evapi_async_relay("x");"#);
    let (status, log) = config.refused();
    assert!(!status.success());
    assert!(log.contains("tm"), "{log}");
}
