//! Bad arguments: each is a refusal that a counter tells, never a crash and nothing half sent.

use async_nats::ConnectOptions;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::tally::Tally;
use crate::{turn, wait};

/// Publishes with the body as subject; the harness sends what no script would hold otherwise.
const SUBJECT_FROM_BODY: &str = r#"nats_publish("$rb", "x"); $var(answer) = "rc=" + $rc;"#;

#[test]
fn an_illegal_subject_is_refused() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "good.>");
    let kamailio = Config::at(&nats.url())
        .request(SUBJECT_FROM_BODY)
        .start()
        .connected();
    let illegal: [&[u8]; 14] = [
        b" ",
        b"a b",
        b"a\tb",
        b"a\rb",
        b"a\nb",
        b"a\0b",
        b"\x01",
        b"a\x7fb",
        b".a",
        b"a.",
        b"a..b",
        b".",
        b"a\r\nPUB x 1\r\ny\r\n",
        b"a ",
    ];
    let mut sip = kamailio.sip();
    for subject in illegal {
        assert_eq!(
            sip.message("x", subject),
            "rc=-1",
            "{:?}",
            String::from_utf8_lossy(subject)
        );
    }
    let count = illegal.len() as u64;
    assert_eq!(
        (
            kamailio.counter("refused"),
            kamailio.counter("refused_invalid")
        ),
        (count, count)
    );
    // Nothing of them reached the server, and the connection took no harm.
    assert_eq!(sip.message("x", b"good.subject"), "rc=1");
    assert_eq!(subscriber.only().subject.as_str(), "good.subject");
    assert_eq!(kamailio.counter("accepted"), 1);
    kamailio.stop();
}

#[test]
fn empty_and_null_arguments_are_refused() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .request(
            r#"$var(answer) = "";
               nats_publish("", "x"); $var(answer) = $var(answer) + $rc;
               nats_publish("$avp(none)", "x"); $var(answer) = $var(answer) + " " + $rc;
               nats_publish($avp(none), "x"); $var(answer) = $var(answer) + " " + $rc;
               nats_publish("good", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;
               nats_publish("good", "x", "$avp(none)"); $var(answer) = $var(answer) + " " + $rc;
               nats_publish("good", "x", ""); $var(answer) = $var(answer) + " " + $rc;
               nats_publish("good", "x", $avp(none)); $var(answer) = $var(answer) + " " + $rc;
               nats_publish("good", "x", "bad reply"); $var(answer) = $var(answer) + " " + $rc;"#,
        )
        .start()
        .connected();
    assert_eq!(kamailio.sip().message("x", b""), "-1 -1 -1 -1 -1 -1 -1 -1");
    assert_eq!(kamailio.counter("refused_invalid"), 8);
    assert_eq!(kamailio.counter("accepted"), 0);
    kamailio.stop();
}

#[test]
fn a_bare_null_payload_is_the_empty_text_that_the_core_makes_of_it() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "good");
    let kamailio = Config::at(&nats.url())
        .request(r#"nats_publish("good", $avp(none)); $var(answer) = "rc=" + $rc;"#)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1");
    assert!(subscriber.only().payload.is_empty());
    kamailio.stop();
}

#[test]
fn what_a_transformation_makes_of_nothing_is_left_out() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "good");
    let kamailio = Config::at(&nats.url())
        .request(
            r#"nats_publish("good", "1 [$(hdr(X-Missing){s.tolower})] $(ai{uri.user})."); $var(answer) = "" + $rc;
               nats_publish("good", "2 [$avp(none)]"); $var(answer) = $var(answer) + $rc;
               $var(short) = "abc";
               nats_publish("good", "$(var(short){s.substr,5,2})"); $var(answer) = $var(answer) + $rc;"#,
        )
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "111");
    let all = subscriber.wait_for(3);
    let all: Vec<_> = all.iter().map(text).collect();
    assert_eq!(all, ["1 [] .", "2 [<null>]", ""]);
    kamailio.stop();
}

#[test]
fn what_only_the_server_finds_too_large_does_not_stop_the_rest() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with("max_payload: 2048");
    let (tally, _counting) = Tally::of(&nats.url(), "sized");
    let kamailio = Config::at(&nats.url())
        .request(r#"nats_publish("sized", "$rb"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    let mut sip = kamailio.sip();
    let large = [b"a:0 ".to_vec(), vec![b'x'; 4096]].concat();
    for number in 0..10 {
        assert_eq!(sip.message("x", format!("a:{number}").as_bytes()), "rc=1");
        // Accepted or not, by what the module knows of the server at that moment.
        sip.message("x", &large);
    }
    wait::until("all small ones arrived", || tally.unique() == 10);
    wait::until("all large ones are counted", || {
        kamailio.counter("rejected") + kamailio.counter("refused_oversized") == 10
    });
    kamailio.stop();
}

#[test]
fn what_the_server_forbids_is_told_and_does_not_stop_the_rest() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with(
        r#"authorization { users: [
               { user: "sip", password: "p", permissions: { publish: "allowed" } },
               { user: "watch", password: "w" } ] }"#,
    );
    let observer = ConnectOptions::with_user_and_password("watch".into(), "w".into());
    let subscriber = Subscriber::with_options(observer, &nats.url(), "allowed");
    let kamailio = Config::at(&nats.url_as("sip:p"))
        .request(r#"nats_publish("$rU", "x"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    let mut sip = kamailio.sip();
    for _ in 0..5 {
        assert_eq!(sip.message("forbidden", b""), "rc=1");
        assert_eq!(sip.message("allowed", b""), "rc=1");
    }
    subscriber.wait_for(5);
    kamailio.wait_counter("server_errors", 5);
    let error = kamailio.connector()["last_error"].to_string();
    assert!(error.contains("forbidden"), "{error}");
    assert_eq!(kamailio.connector()["state"], "connected");
    kamailio.stop();
}
