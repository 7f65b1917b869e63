//! KEMI: the same functions from Lua and Python, and the event callback.

use crate::kamailio::Config;
use crate::require::needs;
use crate::script::Script;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

const LUA_REQUEST: &str = r#"
    local one = KSR.nats.publish("plain", KSR.pv.gete("$rU"))
    local two = KSR.nats.publish_request("asking", "question", "answers")
    local bad = KSR.nats.publish("", "nothing")
    KSR.sl.send_reply(200, "rc=" .. one .. two .. bad)
"#;

const LUA_FUNCTIONS: &str = r#"
function nats_event(evname)
    KSR.nats.publish("seen", evname .. "|" .. KSR.pv.gete("$natsData"))
    return 1
end
"#;

const PYTHON_REQUEST: &str = r#"
        one = KSR.nats.publish("plain", KSR.pv.gete("$rU"))
        two = KSR.nats.publish_request("asking", "question", "answers")
        bad = KSR.nats.publish("", "nothing")
        KSR.sl.send_reply(200, "rc=%d%d%d" % (one, two, bad))
"#;

const PYTHON_FUNCTIONS: &str = r#"
    def nats_event(self, msg, evname):
        KSR.nats.publish("seen", evname + "|" + KSR.pv.gete("$natsData"))
        return 1
"#;

fn publishes(script: &Script) {
    let nats = Nats::start();
    let plain = Subscriber::new(&nats.url(), "plain");
    let asking = Subscriber::new(&nats.url(), "asking");
    let kamailio = Config::at(&nats.url()).script(script).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=11-1");
    assert_eq!(text(&plain.only()), "alice");
    let message = asking.only();
    assert_eq!(text(&message), "question");
    assert_eq!(message.reply.as_deref(), Some("answers"));
    kamailio.stop();
}

/// The callback gets `nats:` with the subject as it is configured, and the connector's changes.
fn calls_back(script: &Script) {
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "orders.*.created:group")
        .nats("subject_queue_group", "plain:group")
        .nats("event_callback", "nats_event")
        .script(script)
        .start();
    assert_eq!(text(&seen.wait_for(1)[0]), "nats:connected|");
    seen.publish("orders.eu.created", "one");
    seen.publish("plain", "two");
    let mut texts: Vec<String> = seen.wait_for(3).iter().map(text).collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "nats:connected|",
            "nats:orders.*.created|one",
            "nats:plain|two"
        ]
    );
    kamailio.stop();
}

#[test]
fn lua_publishes() {
    needs!("kamailio", "nats", "app_lua.so");
    let _turn = turn::light();
    publishes(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS));
}

#[test]
fn python_publishes() {
    needs!("kamailio", "nats", "app_python3.so");
    let _turn = turn::light();
    publishes(&Script::python(PYTHON_REQUEST, PYTHON_FUNCTIONS));
}

#[test]
fn lua_is_called_back() {
    needs!("kamailio", "nats", "app_lua.so");
    let _turn = turn::light();
    calls_back(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS));
}

#[test]
fn python_is_called_back() {
    needs!("kamailio", "nats", "app_python3.so");
    let _turn = turn::light();
    calls_back(&Script::python(PYTHON_REQUEST, PYTHON_FUNCTIONS));
}

#[test]
fn a_route_goes_before_the_callback() {
    needs!("kamailio", "nats", "app_lua.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    // Without cfgengine the native routes stay in charge, and the script only lends its function.
    let config = Config::at(&nats.url())
        .nats("subject_queue_group", "routed:group")
        .nats("subject_queue_group", "other:group")
        .nats("event_callback", "nats_event")
        .routes(r#"event_route[nats:routed] { nats_publish("seen", "route|$natsData"); }"#)
        .lent(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS));
    let kamailio = config.start().connected();
    seen.publish("routed", "one");
    crate::wait::until("the route ran", || {
        seen.texts().contains(&"route|one".to_string())
    });
    assert!(
        !seen
            .texts()
            .iter()
            .any(|text| text.starts_with("nats:routed"))
    );
    kamailio.stop();
}
