//! KEMI: the same functions from Lua and Python.

use crate::kafka::at;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::turn;

const LUA: &str = r#"
function ksr_request_route()
    if KSR.pv.get("$rm") == "OPTIONS" then
        KSR.sl.send_reply(200, "OK")
        return 1
    end
    local one = KSR.kafka.send("TOPIC", "plain")
    local two = KSR.kafka.send_key("TOPIC", "keyed", "key")
    local bad = KSR.kafka.send("TOPIC", "")
    KSR.sl.send_reply(200, "rc=" .. one .. two .. bad)
    return 1
end
"#;

const PYTHON: &str = r#"
import KSR as KSR

def mod_init():
    return kamailio()

class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "OPTIONS":
            KSR.sl.send_reply(200, "OK")
            return 1
        one = KSR.kafka.send("TOPIC", "plain")
        two = KSR.kafka.send_key("TOPIC", "keyed", "key")
        bad = KSR.kafka.send("TOPIC", "")
        KSR.sl.send_reply(200, "rc=%d%d%d" % (one, two, bad))
        return 1
"#;

fn sends(language: &str, file: &str, script: &str) {
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = at(&kafka, &topic)
        .script(language, file, &script.replace("TOPIC", &topic))
        .start();
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
    sends("lua", "script.lua", LUA);
}

#[test]
fn python_sends() {
    needs!("kamailio", "kafka_module", "kafka", "app_python3.so");
    let _turn = turn::light();
    sends("python", "script.py", PYTHON);
}
