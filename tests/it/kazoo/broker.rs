//! Configurations with a RabbitMQ, and what their RPCs say.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::kamailio::{Config, Kamailio};
use crate::server::rabbitmq::Rabbit;
use crate::wait;

/// A configuration without a server. The host name is its own, since queues are named after it.
pub(crate) fn alone() -> Config {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    Config::of("kazoo")
        .text_param("node_hostname", &format!("host{serial}.example.com"))
        .number("pua_mode", 0)
}

/// A configuration for this server.
pub(crate) fn at(url: &str) -> Config {
    alone().text_param("amqp_connection", url)
}

/// A configuration for the server that tests share.
pub(crate) fn shared() -> Config {
    at(&Rabbit::shared().url())
}

/// Starts Kamailio, and waits until all its connections are open and all subscriptions made.
pub(crate) fn start(config: Config) -> Kamailio {
    let kamailio = config.start();
    connected(&kamailio);
    kamailio
}

/// Waits until all connections are open and all subscriptions made.
pub(crate) fn connected(kamailio: &Kamailio) {
    wait::until("the connector is connected", || {
        kamailio.connector()["state"] == "connected"
            && connections(kamailio)
                .iter()
                .all(|each| each["state"] == "open")
            && subscriptions(kamailio)
                .iter()
                .all(|each| each["state"] == "open")
    });
}

/// What `kazoo.connections` shows.
pub(crate) fn connections(kamailio: &Kamailio) -> Vec<Value> {
    list(kamailio, "connections")
}

/// What `kazoo.subscriptions` shows.
pub(crate) fn subscriptions(kamailio: &Kamailio) -> Vec<Value> {
    list(kamailio, "subscriptions")
}

fn list(kamailio: &Kamailio, what: &str) -> Vec<Value> {
    let all = kamailio.rpc(&format!("kazoo.{what}"), &[]);
    let list = all[what].as_array().cloned();
    list.unwrap_or_else(|| panic!("no list of {what} in {all}"))
}
