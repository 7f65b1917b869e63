//! Parameters: all of the original's and ours are accepted, and the servers, users and tokens work.

use async_nats::ConnectOptions;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn, wait};

const PUBLISH: &str = r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#;

#[test]
fn every_parameter_is_accepted() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "calls");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "Kamailio-World:2020")
        .nats("subject_queue_group", "MyQueue1:2021")
        .nats("event_callback", "unused")
        .number("num_publish_workers", 4)
        .number("tls", 0)
        .number("queue_size", 4 * 1024 * 1024)
        .number("message_size_max", 1024 * 1024)
        .number("queue_full_wait_ms", 10)
        .number("inbox_size", 4 * 1024 * 1024)
        .number("drain_timeout_ms", 4000)
        .number("connect_timeout_ms", 1500)
        .number("reconnect_wait_ms_max", 1000)
        .number("ping_interval_ms", 60_000)
        .request(PUBLISH)
        .start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(text(&subscriber.only()), "alice");
    kamailio.stop();
}

#[test]
fn the_count_of_publish_workers_has_no_effect() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "calls");
    for count in [0, 1, 64] {
        let kamailio = Config::at(&nats.url())
            .number("num_publish_workers", count)
            .request(PUBLISH)
            .start();
        assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
        kamailio.stop();
    }
    assert_eq!(subscriber.wait_for(3).len(), 3);
}

#[test]
fn several_urls_are_a_failover_list() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let mut first = Nats::start();
    let second = Nats::start();
    let seen = Subscriber::new(&second.url(), "calls");
    let dead = format!("nats://127.0.0.1:{}", port::free());
    // The first of all is dead, so one of the others is taken; then that one goes away.
    let kamailio = Config::at(&dead)
        .nats("nats_url", &first.url())
        .nats("nats_url", &second.url())
        .request(PUBLISH)
        .start()
        .connected();
    first.stop();
    wait::until("the connection moved to the living server", || {
        let connector = kamailio.connector();
        let server = connector["server"].as_str().unwrap_or_default().to_string();
        connector["state"] == "connected" && server.ends_with(&second.port().to_string())
    });
    assert_eq!(kamailio.sip().message("bob", b""), "rc=1");
    seen.wait_for(1);
    assert!(seen.texts().contains(&"bob".to_string()));
    kamailio.stop();
}

#[test]
fn the_url_and_its_port_have_defaults() {
    needs!("kamailio");
    let _turn = turn::light();
    // The default is a server that may or may not run here: only the start is looked at.
    let kamailio = Config::new().start();
    assert!(kamailio.connector()["state"].is_string());
    kamailio.stop();
    let kamailio = Config::at("nats://127.0.0.1").start();
    assert!(kamailio.connector()["state"].is_string());
    kamailio.stop();
}

/// Publishes through `url`, and sees the message with an observer that has its own way in.
fn arrives(nats: &Nats, url: &str, observer: ConnectOptions) {
    let subscriber = Subscriber::with_options(observer, &nats.url(), "calls");
    let kamailio = Config::at(url).request(PUBLISH).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(text(&subscriber.only()), "alice");
    let log = kamailio.stop();
    for secret in ["s3cret-Pass", "t0ken-Secret"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn a_user_and_a_password_are_sent() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with(
        r#"authorization { users: [ {user: "sip", password: "s3cret-Pass"}, {user: "watch", password: "w"} ] }"#,
    );
    let observer = ConnectOptions::with_user_and_password("watch".into(), "w".into());
    arrives(&nats, &nats.url_as("sip:s3cret-Pass"), observer);
}

#[test]
fn a_url_may_hold_any_password_in_percent_signs() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with(r#"authorization { user: "si:p", password: "p@ss/w:rd%?#" }"#);
    let observer = ConnectOptions::with_user_and_password("si:p".into(), "p@ss/w:rd%?#".into());
    arrives(
        &nats,
        &nats.url_as("si%3Ap:p%40ss%2Fw%3Ard%25%3F%23"),
        observer,
    );
}

#[test]
fn a_token_is_sent() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with(r#"authorization { token: "t0ken-Secret" }"#);
    let observer = ConnectOptions::with_token("t0ken-Secret".into());
    arrives(&nats, &nats.url_as("t0ken-Secret"), observer);
}

#[test]
fn a_wrong_password_is_told_and_never_shown() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with(r#"authorization { user: "sip", password: "right" }"#);
    let kamailio = Config::at(&nats.url_as("sip:s3cret-Wrong"))
        .before("debug=3")
        .request(PUBLISH)
        .start();
    wait::until("the refusal is told", || {
        kamailio.connector()["last_error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    });
    assert_ne!(kamailio.connector()["state"], "connected");
    // The lane takes what it has room for, as with any server that is away.
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    let status = kamailio.rpc("sipbus.status", &[]).to_string();
    assert!(
        !status.contains("s3cret-Wrong"),
        "the password is in {status}"
    );
    let engine = kamailio.engine().expect("the engine runs");
    assert!(!crate::process::command_line(engine).contains("s3cret-Wrong"));
    drop(nats);
    let log = kamailio.stop();
    assert!(!log.contains("s3cret-Wrong"), "the password is in the log");
}
