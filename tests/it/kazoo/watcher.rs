//! Watchers get what was published.

use std::net::UdpSocket;

use serde_json::json;

use super::broker::{shared, start};
use super::bus::Bus;
use super::database::{dialog, with_database};
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{turn, wait};

/// A phone that watches somebody.
struct Watcher {
    socket: UdpSocket,
    port: u16,
}

impl Watcher {
    fn new(kamailio: &Kamailio) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(wait::watchdog())).unwrap();
        Self {
            socket,
            port: kamailio.port(),
        }
    }

    fn subscribe(&self, user: &str, event: &str, accept: &str) {
        let (local, port) = (self.socket.local_addr().unwrap(), self.port);
        let request = format!(
            "SUBSCRIBE sip:{user}@example.com SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{event}{user}\r\n\
             From: <sip:watcher@example.com>;tag=w{event}\r\nTo: <sip:{user}@example.com>\r\n\
             Call-ID: {event}-{user}@{local}\r\nCSeq: 1 SUBSCRIBE\r\nMax-Forwards: 10\r\n\
             Contact: <sip:watcher@{local}>\r\nEvent: {event}\r\nAccept: {accept}\r\n\
             Expires: 600\r\nContent-Length: 0\r\n\r\n"
        );
        self.socket
            .send_to(request.as_bytes(), ("127.0.0.1", port))
            .unwrap();
    }

    /// The next NOTIFY whose body has `text`; every NOTIFY is answered.
    fn notified(&self, text: &str) -> String {
        let mut packet = vec![0; 65_536];
        loop {
            let (length, from) = self.socket.recv_from(&mut packet).expect("a NOTIFY");
            let message = String::from_utf8_lossy(&packet[..length]).into_owned();
            if !message.starts_with("NOTIFY ") {
                assert!(message.starts_with("SIP/2.0 2"), "{message}");
                continue;
            }
            let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let lines = message.lines();
            let head: String = lines
                .filter(|line| copied.iter().any(|name| line.starts_with(name)))
                .map(|line| format!("{line}\r\n"))
                .collect();
            let answer = format!("SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n");
            self.socket.send_to(answer.as_bytes(), from).unwrap();
            if message.contains(text) {
                return message;
            }
        }
    }
}

#[test]
fn a_watcher_gets_what_the_bus_says() {
    needs!(
        "kamailio",
        "kazoo",
        "rabbitmq",
        "db_sqlite.so",
        "presence.so",
        "presence_xml.so",
        "presence_dialoginfo.so",
        "presence_mwi.so",
        "python3"
    );
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let (config, database) = with_database(shared());
    let url = format!("sqlite:///{}", database.0);
    let kamailio = start(
        config
            .before(&format!(
                "loadmodule \"tm.so\"\nloadmodule \"presence.so\"\nloadmodule \"presence_xml.so\"\n\
                 loadmodule \"presence_dialoginfo.so\"\nloadmodule \"presence_mwi.so\"\n\
                 modparam(\"presence\", \"db_url\", \"{url}\")\n\
                 modparam(\"presence\", \"subs_db_mode\", 0)\n\
                 modparam(\"presence\", \"publ_cache\", 0)\n\
                 modparam(\"presence_xml\", \"force_active\", 1)\n\
                 modparam(\"presence_xml\", \"db_url\", \"{url}\")"
            ))
            .request(
                r#"if ($rm == "SUBSCRIBE") { t_newtran(); handle_subscribe(); exit; }"#,
            )
            .routes(
                r##"event_route[kazoo:mod-init] { kazoo_subscribe("pr.bus", "topic", "pr.bus", "#"); }
                   event_route[kazoo:consumer-event-presence-update] {
                       if (kazoo_pua_publish($kzE)) {
                           pres_refresh_watchers("$(kzE{kz.json,From})", "$(kzE{kz.json,Event-Package})", 1);
                       }
                   }
                   event_route[kazoo:consumer-event] { exit; }"##,
            ),
    );
    let watcher = Watcher::new(&kamailio);
    watcher.subscribe("alice", "dialog", "application/dialog-info+xml");
    watcher.notified("NOTIFY");
    let mut update = dialog("early", "watched");
    update["Event-Category"] = json!("presence");
    for state in ["early", "confirmed", "terminated"] {
        update["State"] = json!(state);
        bus.publish("pr.bus", "dialog", update.to_string());
        let notify = watcher.notified(&format!("<state>{state}</state>"));
        assert!(notify.contains("sip:alice@example.com"), "{notify}");
    }
    // And one who comes later gets it at once.
    update["Event-Package"] = json!("presence");
    update["State"] = json!("confirmed");
    bus.publish("pr.bus", "presence", update.to_string());
    wait::until("the row is there", || database.rows("presence").len() == 1);
    let late = Watcher::new(&kamailio);
    late.subscribe("alice", "presence", "application/pidf+xml");
    late.notified("On the Phone");
    kamailio.stop();
}
