//! Start and stop: the port is free again each time, and nothing accepted is lost on the way out.

use super::client::Client;
use super::listener::{RELAY, on};
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn};

#[test]
fn twenty_restarts_in_a_row_work_on_the_same_port() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    for _ in 0..20 {
        let kamailio = on(port).request(RELAY).start();
        let mut client = Client::connect(&kamailio, port);
        assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
        assert_eq!(client.text(), "from alice");
        // Connected to the end: such a port is the hard one to bind again.
        kamailio.stop();
        assert!(client.rest().is_empty());
    }
}

#[test]
fn what_was_relayed_before_the_stop_arrives() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 5000) { if (evapi_relay("$var(i)")) { $var(i) = $var(i) + 1; } }
               $var(answer) = "done";"#,
        )
        .start();
    let mut client = Client::connect(&kamailio, port);
    let reader = std::thread::spawn(move || client.rest());
    assert_eq!(kamailio.sip().message("x", b""), "done");
    kamailio.stop();
    let got = reader.join().unwrap();
    let expected: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_stop_does_not_wait_for_a_client_that_never_reads() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("drain_timeout_ms", 300)
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 10000) { if (evapi_relay("$rb")) { $var(i) = $var(i) + 1; } }
               $var(answer) = "done";"#,
        )
        .start();
    let client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("x", &[b'x'; 1024]), "done");
    kamailio.stop();
    drop(client);
}

#[test]
fn evapi_and_nats_share_one_engine() {
    needs!("kamailio", "evapi", "nats");
    let _turn = turn::light();
    let (port, nats) = (port::free(), Nats::start());
    let subscriber = Subscriber::new(&nats.url(), "calls");
    let kamailio = Config::of("evapi")
        .text_param("bind_addr", &format!("127.0.0.1:{port}"))
        .after(&format!(
            "loadmodule \"nats.so\"\nmodparam(\"nats\", \"nats_url\", \"{}\")",
            nats.url()
        ))
        .routes(r#"event_route[evapi:message-received] { nats_publish("calls", "$evapi(msg)"); }"#)
        .request(RELAY)
        .start()
        .connected();
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
    assert_eq!(client.text(), "from alice");
    client.send("from the socket to the bus");
    assert_eq!(text(&subscriber.only()), "from the socket to the bus");
    let connectors = kamailio.rpc("sipbus.status", &[])["connectors"].clone();
    assert_eq!(connectors.as_array().map(Vec::len), Some(2), "{connectors}");
    kamailio.stop();
}
