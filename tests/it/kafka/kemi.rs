//! KEMI: the same functions from Lua and Python.

use crate::kafka::at;
use crate::require::needs;
use crate::script::Script;
use crate::server::kafka::Kafka;
use crate::turn;

const LUA_REQUEST: &str = r#"
    local one = KSR.kafka.send("TOPIC", "plain")
    local two = KSR.kafka.send_key("TOPIC", "keyed", "key")
    local bad = KSR.kafka.send("TOPIC", "")
    KSR.sl.send_reply(200, "rc=" .. one .. two .. bad)
"#;

const PYTHON_REQUEST: &str = r#"
        one = KSR.kafka.send("TOPIC", "plain")
        two = KSR.kafka.send_key("TOPIC", "keyed", "key")
        bad = KSR.kafka.send("TOPIC", "")
        KSR.sl.send_reply(200, "rc=%d%d%d" % (one, two, bad))
"#;

fn sends(language: fn(&str, &str) -> Script, request: &str) {
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let script = language(&request.replace("TOPIC", &topic), "");
    let kamailio = at(&kafka, &topic).script(&script).start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=11-1");
    let records = kafka.records(&topic).wait_for(2);
    let keyed = records
        .iter()
        .find(|record| record.text() == "keyed")
        .unwrap();
    assert_eq!(keyed.key_text().as_deref(), Some("key"));
    kamailio.stop();
}

#[test]
fn lua_sends() {
    needs!("kamailio", "kafka_module", "kafka", "app_lua.so");
    let _turn = turn::light();
    sends(Script::lua, LUA_REQUEST);
}

#[test]
fn python_sends() {
    needs!("kamailio", "kafka_module", "kafka", "app_python3.so");
    let _turn = turn::light();
    sends(Script::python, PYTHON_REQUEST);
}
