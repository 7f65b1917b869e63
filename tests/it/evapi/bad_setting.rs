//! Bad settings: Kamailio refuses to start, with one clear message for each mistake.

use std::net::TcpListener;

use super::listener::on;
use crate::kamailio::Config;
use crate::mistake::{self, Mistake, Value::Number, Value::Text, messages};
use crate::require::needs;
use crate::{port, turn};

const MISTAKES: &[Mistake] = &[
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
    ("shared_secret", Text(""), "empty"),
    ("queue_size", Number(-1), "-1"),
    ("inbox_size", Number(1), "1"),
];

#[test]
fn each_wrong_value_is_refused_with_one_message() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    mistake::each_is_refused(MISTAKES, |parameter| match parameter {
        "bind_addr" => Config::of("evapi"),
        _ => on(port::free()),
    });
}

#[test]
fn a_port_in_use_is_refused_with_one_message() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (status, log) = on(port).refused();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert_eq!(messages(&log, "bind_addr", &port.to_string()), 1, "{log}");
}

#[test]
fn an_address_may_be_given_twice_but_not_two_of_one_port() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let address = format!("127.0.0.1:{port}");
    on(port).text_param("bind_addr", &address).start().stop();
    let other = format!("0.0.0.0:{port}");
    let (_, log) = on(port).text_param("bind_addr", &other).refused();
    let shown = format!("is taken by bind_addr = \"{address}\"");
    assert_eq!(messages(&log, "bind_addr", &shown), 1, "{log}");
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    // Where an address is wrong, whether TLS files are wanted is not known.
    let wanted = |parameter: &str| !parameter.starts_with("tls");
    mistake::all_are_told(MISTAKES, Config::of("evapi"), wanted);
}

#[test]
fn an_unknown_parameter_is_refused() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    mistake::unknown_is_refused(Config::of("evapi"), "max_client");
}
