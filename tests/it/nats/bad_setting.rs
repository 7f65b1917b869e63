//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use crate::kamailio::Config;
use crate::require::needs;
use crate::turn;

enum Value {
    Text(&'static str),
    Number(i64),
}
use Value::{Number, Text};

/// Parameter, wrong value, and what the message must show of it.
const MISTAKES: &[(&str, Value, &str)] = &[
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

fn with(config: Config, mistake: &(&str, Value, &str)) -> Config {
    match &mistake.1 {
        Text(text) => config.nats(mistake.0, text),
        Number(number) => config.number(mistake.0, *number),
    }
}

/// The lines of the log that are errors and name both the parameter and the value.
fn messages(log: &str, parameter: &str, value: &str) -> usize {
    let errors = log
        .lines()
        .filter(|line| line.contains("ERROR:") || line.contains("CRITICAL:"));
    errors
        .filter(|line| line.contains(parameter) && line.contains(value))
        .count()
}

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio");
    let _turn = turn::light();
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let shown = format!("{} with {}", mistake.0, mistake.2);
        match with(Config::new(), mistake).outcome() {
            Err(_) => wrong.push(format!("{shown}: accepted")),
            Ok((status, log)) => {
                let count = messages(&log, mistake.0, mistake.2);
                if status.code().is_none_or(|code| code == 0) || count != 1 {
                    wrong.push(format!("{shown}: {status}, {count} messages in\n{log}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    needs!("kamailio");
    let _turn = turn::light();
    // One of each parameter: the first that stands in the table.
    let mut config = Config::new();
    let mut names: Vec<&str> = Vec::new();
    let mut expected = Vec::new();
    for mistake in MISTAKES {
        if !names.contains(&mistake.0) && !mistake.0.starts_with("tls") {
            config = with(config, mistake);
            names.push(mistake.0);
            expected.push((mistake.0, mistake.2));
        }
    }
    let (status, log) = config.refused();
    assert!(!status.success());
    for (parameter, value) in expected {
        assert_eq!(
            messages(&log, parameter, value),
            1,
            "{parameter} {value} in:\n{log}"
        );
    }
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
    let (status, log) = Config::new().number("queue_sise", 1).refused();
    assert!(!status.success());
    assert!(log.contains("queue_sise"));
}

#[test]
fn a_password_in_a_wrong_url_is_not_shown() {
    needs!("kamailio");
    let _turn = turn::light();
    for url in [
        "http://sip:s3cret-Pass@127.0.0.1:4222",
        "nats://sip:s3cret-Pass@127.0.0.1:port",
        "nats://sip:s3cret-Pass@",
        "sip:s3cret-Pass@127.0.0.1",
        "nats://s3cret-Pass@127.0.0.1:99999",
    ] {
        let (status, log) = Config::new()
            .before("debug=3")
            .nats("nats_url", url)
            .refused();
        assert!(!status.success());
        assert!(log.contains("nats_url"), "{log}");
        // Kamailio's own debug output shows what it reads from the file; ours must not.
        let ours = log
            .lines()
            .filter(|line| line.contains("nats [") || line.contains("sipbus"));
        let shown: Vec<&str> = ours.filter(|line| line.contains("s3cret-Pass")).collect();
        assert!(shown.is_empty(), "{shown:?}");
    }
}
