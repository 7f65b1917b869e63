//! Answers that come too late, twice, or never: harmless, and the caller is answered.

use super::client::Client;
use super::listener::on;
use super::suspend::{ANSWERS, ASK, asking, question};
use crate::require::needs;
use crate::sipp::Sipp;
use crate::{port, turn, wait};

/// How long a suspended request waits.
const FR_TIMER: &str = "modparam(\"tm\", \"fr_timer\", 500)";

#[test]
fn a_late_answer_is_harmless() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).after(FR_TIMER).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    for (method, gone) in [("MESSAGE", false), ("INVITE", false), ("MESSAGE", true)] {
        let answered = kamailio.counted("answers");
        let number = sip.send(method, "late", b"");
        let (key, _) = question(&mut client);
        assert_eq!(sip.answer(number).0, 408);
        if gone {
            kamailio.wait_no_transaction();
        }
        client.send(format!("{key}:too late"));
        kamailio.wait_counted("answers", answered + 1);
        assert_eq!(kamailio.counted("resumed"), 0);
    }
    // And the next request goes its way.
    let number = sip.send("MESSAGE", "next", b"");
    let (key, _) = question(&mut client);
    client.send(format!("{key}:in time"));
    assert_eq!(sip.answer(number), (200, "in time".into()));
    kamailio.stop();
}

/// All who were asked answer at once, each by another worker, and each twice.
fn all_answer_twice(clients: &mut [Client]) {
    let keys: Vec<String> = clients
        .iter_mut()
        .map(|client| question(client).0)
        .collect();
    for (client, key) in clients.iter_mut().zip(&keys) {
        client.send(format!("{key}:yes"));
        client.send(format!("{key}:yes"));
    }
}

#[test]
fn a_second_answer_is_harmless() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).number("workers", 4).request(ASK).start();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&kamailio, port)).collect();
    let mut sip = kamailio.sip();
    for round in 1..=50 {
        let number = sip.send("MESSAGE", "x", b"");
        all_answer_twice(&mut clients);
        assert_eq!(sip.answer(number), (200, "yes".into()));
        kamailio.wait_counted("answers", round * 8);
        assert_eq!(kamailio.counted("resumed"), round);
    }
    // That no transaction is left cannot be asked here: t_continue of Kamailio 5.6 keeps a
    // reference to one that it finds no longer suspended.
    kamailio.stop();
}

/// As [`ANSWERS`](super::suspend::ANSWERS), by the module's own function.
const CONTINUES: &str = r#"
event_route[evapi:message-received] {
    $var(text) = $(evapi(msg){s.select,2,:});
    if (evapi_continue("$(evapi(msg){s.select,0,:})", "$(evapi(msg){s.select,1,:})", "RESUMED"))
        $var(count) = $shtinc(count=>continued);
    $var(count) = $shtinc(count=>answers);
}
route[RESUMED] {
    send_reply("200", "$var(text)");
    exit;
}
"#;

#[test]
fn answers_that_cross_are_counted() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let config = on(port).suspending().routes(CONTINUES).after(FR_TIMER);
    let kamailio = config.number("workers", 4).request(ASK).start();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(&kamailio, port)).collect();
    let mut sip = kamailio.sip();
    for round in 1..=20 {
        let number = sip.send("MESSAGE", "x", b"");
        all_answer_twice(&mut clients);
        assert_eq!(sip.answer(number), (200, "yes".into()));
        kamailio.wait_counted("answers", round * 8);
        assert_eq!(kamailio.counted("continued"), round);
    }
    let stats = kamailio.rpc("evapi.stats", &[]);
    assert_eq!(stats["late_answers"], 20 * 7);
    kamailio.stop();
}

#[test]
fn late_and_second_answers_leave_no_transaction() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let config = on(port).suspending().routes(CONTINUES).after(FR_TIMER);
    let kamailio = config.request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    // Only answers that cross in two workers can find tm between its look and its deed.
    for round in 1..=20 {
        let number = sip.send("MESSAGE", "x", b"");
        let (key, _) = question(&mut client);
        client.send(format!("{key}:yes"));
        client.send(format!("{key}:yes"));
        assert_eq!(sip.answer(number), (200, "yes".into()));
        kamailio.wait_counted("answers", round * 2);
    }
    let number = sip.send("MESSAGE", "late", b"");
    let (key, _) = question(&mut client);
    assert_eq!(sip.answer(number).0, 408);
    client.send(format!("{key}:too late"));
    kamailio.wait_counted("answers", 20 * 2 + 1);
    assert_eq!(kamailio.counted("continued"), 20);
    assert_eq!(kamailio.rpc("evapi.stats", &[])["late_answers"], 21);
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn arguments_of_evapi_continue_are_checked() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let config = on(port::free())
        .suspending()
        .routes("route[RESUMED] { return; }");
    let kamailio = config
        .request(
            r#"$var(index) = "x"; $var(none) = "";
               evapi_continue("$var(index)", "1", "RESUMED"); $var(answer) = "" + $rc;
               evapi_continue("1", "$var(none)", "RESUMED"); $var(answer) = $var(answer) + $rc;
               evapi_continue("1", "1", "NO_SUCH"); $var(answer) = $var(answer) + $rc;
               evapi_continue("1", "1", "RESUMED"); $var(answer) = $var(answer) + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "-1-1-1-1");
    let stats = kamailio.rpc("evapi.stats", &[]);
    assert_eq!(
        (&stats["refused_invalid"], &stats["late_answers"]),
        (&serde_json::json!(3), &serde_json::json!(1))
    );
    kamailio.stop();
}

#[test]
fn an_answer_for_a_cancelled_call_is_harmless() {
    needs!("kamailio", "evapi", "tmx.so", "sipp");
    let _turn = turn::light();
    const CALLS: u32 = 20;
    let port = port::free();
    let kamailio = asking(port)
        .after(FR_TIMER)
        .request(&format!(
            r#"if ($rm == "CANCEL") {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
               if ($rm == "ACK") {{ t_check_trans(); exit; }}{ASK}"#
        ))
        .start();
    let mut client = Client::connect(&kamailio, port);
    Sipp::start("cancel.xml", kamailio.port(), 100, CALLS).succeed();
    for _ in 0..CALLS {
        let (key, _) = question(&mut client);
        client.send(format!("{key}:too late"));
    }
    kamailio.wait_counted("answers", CALLS.into());
    assert_eq!(kamailio.counted("resumed"), 0);
    kamailio.stop();
}

#[test]
fn an_answer_for_no_transaction_at_all_is_harmless() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let made_up = [
        "0:0:x",
        "1:2:x",
        "4294967295:4294967295:x",
        "-1:-1:x",
        "a:b:x",
        "::",
    ];
    for answer in made_up {
        client.send(answer);
    }
    kamailio.wait_counted("answers", made_up.len() as u64);
    assert_eq!(kamailio.counted("resumed"), 0);
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    let (key, _) = question(&mut client);
    client.send(format!("{key}:yes"));
    assert_eq!(sip.answer(number), (200, "yes".into()));
    kamailio.stop();
}

#[test]
fn a_program_that_dies_with_the_question_leaves_the_timer_to_answer() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = asking(port).after(FR_TIMER).request(ASK).start();
    let mut client = Client::connect(&kamailio, port);
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    question(&mut client);
    drop(client);
    assert_eq!(sip.answer(number).0, 408);
    kamailio.wait_no_transaction();
    kamailio.stop();
}

#[test]
fn a_tag_that_another_worker_has_replaced_is_nobodys() {
    needs!("kamailio", "evapi", "tmx.so");
    let _turn = turn::light();
    let port = port::free();
    let routes = ANSWERS.replace(
        r#"send_reply("200", "$var(text)");"#,
        r#"evapi_async_unicast("again", "first"); $var(rc) = $rc;
           if ($var(rc) < 0) { send_reply("200", "rc=$var(rc)"); }"#,
    );
    // Messages go to both workers in turn: the third to that of the first.
    let kamailio = on(port)
        .suspending()
        .number("workers", 2)
        .number("spread_messages", 1)
        .routes(&routes)
        .request(ASK)
        .start();
    let mut client = Client::connect(&kamailio, port);
    for tag in ["first", "second"] {
        client.send(format!("tag {tag}"));
        wait::until("it is tagged", || {
            client.shown(&kamailio).is_some_and(|it| it["tag"] == tag)
        });
    }
    let mut sip = kamailio.sip();
    let number = sip.send("MESSAGE", "x", b"");
    let (key, _) = question(&mut client);
    client.send(format!("{key}:go on"));
    assert_eq!(sip.answer(number), (200, "rc=-2".into()));
    kamailio.stop();
}
