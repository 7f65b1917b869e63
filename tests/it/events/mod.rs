//! The event interface: `raise_event`, `subscribe_event` and their RPC commands, one file per subject.

mod bad_setting;
mod expiry;
mod kemi;
mod list;
mod manual;
mod raise;
mod route;
mod transport;

use serde_json::Value;

use crate::kamailio::{Config, Kamailio};
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::wait;

/// Events that can go to that server of NATS's.
fn on(nats: &Nats) -> Config {
    Config::of("event_kafka").after(&format!(
        "loadmodule \"nats.so\"\nmodparam(\"nats\", \"nats_url\", \"{}\")",
        nats.url()
    ))
}

/// As `on`, with the event `E_TEST` going to the subject `events`; with it whoever receives it.
fn subscribed(nats: &Nats) -> (Config, Subscriber) {
    let config = on(nats).text_param("event_subscription", "E_TEST nats:events");
    (config, Subscriber::new(&nats.url(), "events"))
}

/// An event as it is sent, with its parameters as JSON.
fn event(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"E_TEST","params":{params}}}"#)
}

/// The sockets that have subscribed to `E_TEST`.
fn sockets(kamailio: &Kamailio) -> Vec<String> {
    let Ok(answer) = kamailio.try_rpc("subscribers_list", &["E_TEST".into()]) else {
        return Vec::new();
    };
    let all = answer["Event"]["Subscribers"].as_array().cloned();
    let socket = |one: &Value| one["socket"].as_str().map(str::to_owned);
    all.unwrap_or_default().iter().filter_map(socket).collect()
}

/// Waits until the other module's connector is connected: what is sent then arrives at once.
fn connected(kamailio: &Kamailio) {
    wait::until("NATS is connected", || {
        let status = kamailio.rpc("sipbus.status", &[]);
        let all = status["connectors"].as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|one| one["name"] == "nats" && one["state"] == "connected")
    });
}
