//! One engine for the modules of one Kamailio.

use super::client::Client;
use super::listener::RELAY;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{port, turn};

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
