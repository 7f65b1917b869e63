//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use crate::kamailio::Config;
use crate::mistake::{self, Mistake, Value::Number, Value::Text};
use crate::require::needs;
use crate::turn;

const MISTAKES: &[Mistake] = &[
    ("nats_url", Text("http://127.0.0.1:4222"), "http"),
    ("nats_url", Text("127.0.0.1:4222"), "127.0.0.1:4222"),
    ("nats_url", Text("nats://127.0.0.1:port"), "port"),
    ("nats_url", Text("nats://127.0.0.1:99999"), "99999"),
    ("nats_url", Text("nats://127.0.0.1:0"), ":0"),
    ("nats_url", Text("nats://"), "nats://"),
    ("subject_queue_group", Text("no-colon"), "no-colon"),
    ("subject_queue_group", Text(":group"), ":group"),
    ("subject_queue_group", Text("subject:"), "subject:"),
    (
        "subject_queue_group",
        Text("with space:group"),
        "with space",
    ),
    ("subject_queue_group", Text(".leading:group"), ".leading"),
    ("subject_queue_group", Text("two..dots:group"), "two..dots"),
    (
        "subject_queue_group",
        Text("not.>.last:group"),
        "not.>.last",
    ),
    ("queue_size", Number(0), "0"),
    ("queue_size", Number(-1), "-1"),
    ("message_size_max", Number(-5), "-5"),
    ("inbox_size", Number(1), "1"),
    ("drain_timeout_ms", Number(-7), "-7"),
    ("connect_timeout_ms", Number(-9), "-9"),
    ("tls", Number(7), "7"),
    (
        "tls_ca_file",
        Text("/nonexistent/ca.pem"),
        "/nonexistent/ca.pem",
    ),
    (
        "credentials_file",
        Text("/nonexistent/user.creds"),
        "/nonexistent/user.creds",
    ),
];

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio");
    let _turn = turn::light();
    mistake::each_is_refused(MISTAKES, |_| Config::new());
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    needs!("kamailio");
    let _turn = turn::light();
    // Where `tls` itself is wrong, its files are not looked at.
    let wanted = |parameter: &str| !parameter.starts_with("tls");
    mistake::all_are_told(MISTAKES, Config::new(), wanted);
}

#[test]
fn tls_files_must_fit_together() {
    needs!("kamailio");
    let _turn = turn::light();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    let config = Config::new().number("tls", 1).nats("tls_ca_file", &path);
    let (_, log) = config.nats("tls_cert_file", &path).refused();
    assert!(
        log.contains("tls_key_file"),
        "a certificate needs its key:\n{log}"
    );
}

#[test]
fn an_unknown_parameter_is_refused() {
    needs!("kamailio");
    let _turn = turn::light();
    mistake::unknown_is_refused(Config::new(), "queue_sise");
}

#[test]
fn a_password_in_a_wrong_url_is_not_shown() {
    needs!("kamailio");
    let _turn = turn::light();
    let urls = [
        "http://sip:s3cret-Pass@127.0.0.1:4222",
        "nats://sip:s3cret-Pass@127.0.0.1:port",
        "nats://sip:s3cret-Pass@",
        "sip:s3cret-Pass@127.0.0.1",
        "nats://s3cret-Pass@127.0.0.1:99999",
    ];
    mistake::a_secret_is_not_shown(Config::new, "nats_url", &urls, "s3cret-Pass");
}
