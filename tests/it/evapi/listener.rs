//! Configurations with an event socket, and what its RPCs say.

use serde_json::Value;

use super::client::Client;
use crate::kamailio::{Config, Kamailio};
use crate::wait;

/// Handles `tag NAME` by giving the sender that tag; answers anything else with `echo`, to all.
pub(crate) const ECHO: &str = r#"
event_route[evapi:message-received] {
    if ($(evapi(msg){s.select,0, }) == "tag") { evapi_set_tag("$(evapi(msg){s.select,1, })"); }
    else { evapi_relay("$evapi(msg)"); }
}
"#;

/// Relays what the request's user part says, and answers with the return code.
pub(crate) const RELAY: &str = r#"evapi_relay("from $rU"); $var(answer) = "rc=" + $rc;"#;

/// A configuration that listens on this port.
pub(crate) fn on(port: u16) -> Config {
    Config::of("evapi").text_param("bind_addr", &format!("127.0.0.1:{port}"))
}

/// What `evapi.clients` shows.
pub(crate) fn clients(kamailio: &Kamailio) -> Vec<Value> {
    let all = kamailio.rpc("evapi.clients", &[]);
    let list = all["clients"].as_array().cloned();
    list.unwrap_or_else(|| panic!("no list of clients in {all}"))
}

/// A client that `ECHO` gives a tag.
pub(crate) fn tagged(kamailio: &Kamailio, port: u16, tag: &str) -> Client {
    let mut client = Client::connect(kamailio, port);
    client.send(format!("tag {tag}"));
    wait::until("the tag is set", || {
        client
            .shown(kamailio)
            .is_some_and(|shown| shown["tag"] == tag)
    });
    client
}
