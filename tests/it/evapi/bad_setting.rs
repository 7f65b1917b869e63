//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use std::net::TcpListener;

use crate::kamailio::Config;
use crate::require::needs;
use crate::{port, turn};

enum Value {
    Text(&'static str),
    Number(i64),
}
use Value::{Number, Text};

/// Parameter, wrong value, and what the message must show of it.
const MISTAKES: &[(&str, Value, &str)] = &[
    ("bind_addr", Text("127.0.0.1:99999"), "99999"),
    ("bind_addr", Text("127.0.0.1:0"), "127.0.0.1:0"),
    ("bind_addr", Text("127.0.0.1:port"), "port"),
    ("bind_addr", Text("127.0.0.1:"), "127.0.0.1:"),
    ("bind_addr", Text(":8448"), ":8448"),
    ("bind_addr", Text("[::1:8448"), "[::1:8448"),
    ("bind_addr", Text("host.invalid:8448"), "host.invalid"),
    // An address that is not this machine's (TEST-NET-1).
    ("bind_addr", Text("192.0.2.1:8448"), "192.0.2.1"),
    ("bind_addr", Text("unix:"), "unix:"),
    (
        "bind_addr",
        Text("unix:/nonexistent/evapi"),
        "/nonexistent/evapi",
    ),
    ("bind_addr", Text("tls:127.0.0.1:8448"), "tls"),
    ("workers", Number(-1), "-1"),
    ("max_clients", Number(0), "0"),
    ("max_clients", Number(1025), "1025"),
    ("netstring_format", Number(7), "7"),
    ("spread_messages", Number(7), "7"),
    ("busy_poll", Number(1001), "1001"),
    ("client_buffer_size", Number(100), "100"),
    ("client_full_policy", Text("maybe"), "maybe"),
    ("frame_size_max", Number(0), "0"),
    ("frame_size_max", Number(1_073_741_824), "1073741824"),
    ("unix_socket_mode", Text("999"), "999"),
    (
        "unix_socket_owner",
        Text("nobody-of-this-name"),
        "nobody-of-this-name",
    ),
    ("login_timeout_ms", Number(-3), "-3"),
    (
        "tls_cert_file",
        Text("/nonexistent/evapi.pem"),
        "/nonexistent/evapi.pem",
    ),
    ("queue_size", Number(-1), "-1"),
    ("inbox_size", Number(1), "1"),
];

fn with(mistake: &(&str, Value, &str)) -> Config {
    let config = Config::of("evapi");
    let config = if mistake.0 == "bind_addr" {
        config
    } else {
        config.text_param("bind_addr", &format!("127.0.0.1:{}", port::free()))
    };
    match &mistake.1 {
        Text(text) => config.text_param(mistake.0, text),
        Number(number) => config.number(mistake.0, *number),
    }
}

/// The lines of the log that are errors and name both the parameter and the value; an address that
/// cannot be listened on speaks for itself.
fn messages(log: &str, parameter: &str, value: &str) -> usize {
    let errors = log
        .lines()
        .filter(|line| line.contains("ERROR:") || line.contains("CRITICAL:"));
    errors
        .filter(|line| line.contains(parameter) || line.contains("cannot listen on"))
        .filter(|line| line.contains(value))
        .count()
}

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let shown = format!("{} with {}", mistake.0, mistake.2);
        match with(mistake).outcome() {
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
fn a_port_in_use_is_refused_with_one_message() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (status, log) = super::listener::on(port).refused();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert_eq!(messages(&log, "bind_addr", &port.to_string()), 1, "{log}");
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (status, log) = Config::of("evapi")
        .text_param("bind_addr", "127.0.0.1:99999")
        .number("workers", -1)
        .number("max_clients", 0)
        .text_param("client_full_policy", "maybe")
        .refused();
    assert!(!status.success());
    for (parameter, value) in [
        ("bind_addr", "99999"),
        ("workers", "-1"),
        ("max_clients", "0"),
        ("client_full_policy", "maybe"),
    ] {
        assert_eq!(
            messages(&log, parameter, value),
            1,
            "{parameter} {value} in:\n{log}"
        );
    }
}

#[test]
fn an_unknown_parameter_is_refused() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (status, log) = Config::of("evapi").number("max_client", 1).refused();
    assert!(!status.success());
    assert!(log.contains("max_client"));
}
