//! The parameters: all of the original's are taken, and every form of an address is listened on.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::client::Client;
use super::listener::{ECHO, clients, on};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::{port, turn, wait};

/// What is sent comes back.
fn echoes(kamailio: &Kamailio, client: &mut Client) {
    client.send("hello");
    assert_eq!(client.text(), "hello", "{}", kamailio.log());
}

#[test]
fn all_parameters_of_the_original_are_taken() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 2)
        .number("netstring_format", 1)
        .text_param("event_callback", "")
        .number("max_clients", 8)
        .number("wait_idle", 500_000)
        .number("wait_increase", 3)
        .number("send_task_timeout", 1000)
        .number("send_data_timeout", 1000)
        .number("context_mlimit", 100)
        .routes(ECHO)
        .start();
    let mut client = Client::connect(&kamailio, port);
    echoes(&kamailio, &mut client);
    kamailio.stop();
}

#[test]
fn no_workers_at_all_still_handle_events() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("workers", 0)
        .number("busy_poll", 0)
        .routes(ECHO)
        .start();
    let mut client = Client::connect(&kamailio, port);
    echoes(&kamailio, &mut client);
    kamailio.stop();
}

#[test]
fn ipv6_addresses_and_host_names_are_listened_on() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    for (host, dialled) in [("[::1]", "::1"), ("localhost", "127.0.0.1")] {
        let port = port::free();
        let kamailio = Config::of("evapi")
            .text_param("bind_addr", &format!("{host}:{port}"))
            .routes(
                r#"event_route[evapi:message-received] {
                       evapi_relay("$evapi(srcaddr)|$evapi(srcport)|$evapi(msg)");
                   }"#,
            )
            .start();
        let address = SocketAddr::new(dialled.parse().unwrap(), port);
        let mut client = Client::dial(address);
        client.admitted(&kamailio);
        client.send("hello");
        let from = client.local_port();
        assert_eq!(client.text(), format!("{dialled}|{from}|hello"));
        kamailio.stop();
    }
}

#[test]
fn high_ports_are_listened_on() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    // Above what a signed 16-bit number holds; outgoing connections may have one of them.
    let port = port::first_free(&mut (65_000..65_500)).expect("a free high port");
    let kamailio = on(port).routes(ECHO).start();
    let mut client = Client::connect(&kamailio, port);
    echoes(&kamailio, &mut client);
    kamailio.stop();
}

#[test]
fn several_addresses_are_listened_on() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let (first, second) = (port::free(), port::free());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evapi");
    let kamailio = on(first)
        .text_param("bind_addr", &format!("127.0.0.1:{second}"))
        .text_param("bind_addr", &format!("unix:{}", path.display()))
        .routes(ECHO)
        .start();
    let mut all = [
        Client::connect(&kamailio, first),
        Client::connect(&kamailio, second),
        Client::unix(&path),
    ];
    wait::until("all are admitted", || {
        let shown = clients(&kamailio);
        shown.len() == 3 && shown.iter().all(|client| client["state"] == "up")
    });
    // One bus: what one says, all hear.
    all[0].send("hello");
    for client in &mut all {
        assert_eq!(client.text(), "hello");
    }
    kamailio.stop();
}

/// The name that this table has for a number.
fn name_of(table: &str, id: u32) -> String {
    let text = std::fs::read_to_string(table).unwrap();
    let row = text
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|row| row.get(2) == Some(&id.to_string().as_str()));
    row.expect("a name")[0].into()
}

#[test]
fn a_unix_socket_has_the_mode_that_was_asked_for() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evapi");
    let user = std::fs::metadata(folder.path()).unwrap();
    let owner = format!(
        "{}:{}",
        name_of("/etc/passwd", user.uid()),
        name_of("/etc/group", user.gid())
    );
    for mode in [0o600, 0o660, 0o666] {
        let kamailio = Config::of("evapi")
            .text_param("bind_addr", &format!("unix:{}", path.display()))
            .text_param("unix_socket_mode", &format!("{mode:04o}"))
            .text_param("unix_socket_owner", &owner)
            .routes(
                r#"event_route[evapi:message-received] {
                       evapi_relay("$evapi(srcaddr)|$evapi(srcport)|$evapi(msg)");
                   }"#,
            )
            .start();
        let made = std::fs::metadata(&path).unwrap();
        assert_eq!(made.permissions().mode() & 0o777, mode);
        assert_eq!((made.uid(), made.gid()), (user.uid(), user.gid()));
        let mut client = Client::unix(&path);
        client.send("hello");
        assert_eq!(client.text(), format!("unix:{}|0|hello", path.display()));
        kamailio.stop();
        assert!(!path.exists(), "a stopped Kamailio leaves no socket behind");
    }
}

#[test]
fn a_unix_socket_that_a_killed_kamailio_left_is_taken_over() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evapi");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let kamailio = Config::of("evapi")
        .text_param("bind_addr", &format!("unix:{}", path.display()))
        .routes(ECHO)
        .start();
    let mut client = Client::unix(&path);
    echoes(&kamailio, &mut client);
    kamailio.stop();
}
