//! KEMI: the same functions from Lua and Python.

use super::{event, subscribed};
use crate::require::needs;
use crate::script::Script;
use crate::server::nats::Nats;
use crate::subscriber::text;
use crate::turn;

const LUA_REQUEST: &str = r#"
    local one = KSR.event_kafka.raise_event("E_TEST")
    local two = KSR.event_kafka.raise_event_json("E_TEST", '{"user": "' .. KSR.pv.gete("$rU") .. '"}')
    local three = KSR.event_kafka.subscribe_event_expire("E_OTHER", "nats:events", 60)
    local four = KSR.event_kafka.raise_event_json("E_OTHER", "[]")
    local five = KSR.event_kafka.subscribe_event_expire("E_OTHER", "nats:events", 0)
    local six = KSR.event_kafka.subscribe_event("E_OTHER", "no socket")
    local seven = KSR.event_kafka.raise_event("")
    KSR.sl.send_reply(200, "rc=" .. one .. two .. three .. four .. five .. six .. seven)
"#;

const PYTHON_REQUEST: &str = r#"
        bus = KSR.event_kafka
        results = [
            bus.raise_event("E_TEST"),
            bus.raise_event_json("E_TEST", '{"user": "%s"}' % KSR.pv.gete("$rU")),
            bus.subscribe_event_expire("E_OTHER", "nats:events", 60),
            bus.raise_event_json("E_OTHER", "[]"),
            bus.subscribe_event_expire("E_OTHER", "nats:events", 0),
            bus.subscribe_event("E_OTHER", "no socket"),
            bus.raise_event(""),
        ]
        KSR.sl.send_reply(200, "rc=" + "".join(map(str, results)))
"#;

fn raises_and_subscribes(script: &Script) {
    let nats = Nats::start();
    let (config, subscriber) = subscribed(&nats);
    let kamailio = config.script(script).start();
    assert_eq!(kamailio.sip().message("alice", b""), "rc=11111-1-1");
    let sent: Vec<_> = subscriber.wait_for(3).iter().map(text).collect();
    let nothing = |name: &str| format!(r#"{{"jsonrpc":"2.0","method":"{name}"}}"#);
    assert_eq!(
        sent,
        [
            nothing("E_TEST"),
            event(r#"{"user":"alice"}"#),
            nothing("E_OTHER")
        ]
    );
    kamailio.stop();
}

#[test]
fn lua_raises_and_subscribes() {
    needs!("kamailio", "event_kafka", "nats", "app_lua.so");
    let _turn = turn::light();
    raises_and_subscribes(&Script::lua(LUA_REQUEST, ""));
}

#[test]
fn python_raises_and_subscribes() {
    needs!("kamailio", "event_kafka", "nats", "app_python3.so");
    let _turn = turn::light();
    raises_and_subscribes(&Script::python(PYTHON_REQUEST, ""));
}
