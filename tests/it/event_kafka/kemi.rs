//! KEMI: publishing from Lua and Python, report functions, and the callback for records.

use crate::event_kafka::at;
use crate::require::needs;
use crate::script::Script;
use crate::server::kafka::Kafka;
use crate::{turn, wait};
use serde_json::json;

const LUA_REQUEST: &str = r#"
    local rc = KSR.event_kafka.publish("k1", "plain")
    rc = rc .. KSR.event_kafka.publish_key("k1", "keyed", "key")
    rc = rc .. KSR.event_kafka.publish_report("k1", "reported", "key", "report")
    rc = rc .. KSR.event_kafka.publish_headers("k1", "headed", "key", "report", "a=b")
    rc = rc .. KSR.event_kafka.publish("k2", "nothing")
    KSR.sl.send_reply(200, "rc=" .. rc)
"#;

const LUA_FUNCTIONS: &str = r#"
function report()
    KSR.info("report: " .. KSR.pv.gete("$avp(kafka_id)") .. " " .. KSR.pv.gete("$avp(kafka_status)")
        .. " " .. KSR.pv.gete("$avp(kafka_msg)") .. "\n")
    if KSR.tm.t_newtran() > 0 then
        KSR.tm.t_release()
    end
    return 1
end

function kafka_event(evname)
    KSR.info("event: " .. evname .. " " .. KSR.pv.gete("$kafka(msg)") .. "\n")
    return 1
end
"#;

const PYTHON_REQUEST: &str = r#"
        rc = "%d" % KSR.event_kafka.publish("k1", "plain")
        rc += "%d" % KSR.event_kafka.publish_key("k1", "keyed", "key")
        rc += "%d" % KSR.event_kafka.publish_report("k1", "reported", "key", "report")
        rc += "%d" % KSR.event_kafka.publish_headers("k1", "headed", "key", "report", "a=b")
        rc += "%d" % KSR.event_kafka.publish("k2", "nothing")
        KSR.sl.send_reply(200, "rc=" + rc)
"#;

const PYTHON_FUNCTIONS: &str = r#"
    def report(self, msg):
        KSR.info("report: %s %s %s\n" % (KSR.pv.gete("$avp(kafka_id)"),
            KSR.pv.gete("$avp(kafka_status)"), KSR.pv.gete("$avp(kafka_msg)")))
        if KSR.tm.t_newtran() > 0:
            KSR.tm.t_release()
        return 1

    def kafka_event(self, msg, evname):
        KSR.info("event: %s %s\n" % (evname, KSR.pv.gete("$kafka(msg)")))
        return 1
"#;

/// Publishes, has one reported, and consumes what was published.
fn works(script: &Script) {
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let consume = format!(
        "brokers={};group={topic};topics={topic};t.auto.offset.reset=earliest",
        kafka.bootstrap()
    );
    let kamailio = at(&kafka, &topic)
        .text_param("consume", &consume)
        .text_param("event_callback", "kafka_event")
        .before("loadmodule \"tm.so\"")
        .before("modparam(\"tm\", \"wt_timer\", 100)")
        .script(script)
        .start();
    assert_eq!(kamailio.sip().message("x", b""), "rc=1111-1");
    kamailio.wait_counter("consumed", 4);
    kamailio.wait_counter("reported", 2);
    // tm lets go of a transaction behind the function, as behind a request.
    wait::until("the reports' transactions are gone", || {
        let stats = kamailio.rpc("tm.stats", &[]);
        stats["created"].as_u64() > Some(0) && stats["current"] == json!(0)
    });
    let records = kafka.records(&topic).wait_for(4);
    assert_eq!(
        records
            .iter()
            .filter(|record| record.headers == "a=b")
            .count(),
        1
    );
    let log = kamailio.stop();
    for message in ["reported", "headed"] {
        assert!(log.contains(&format!("report: k1 0 {message}")), "{log}");
    }
    for message in ["plain", "keyed", "reported", "headed"] {
        let line = format!("event: kafka:{topic} {message}");
        assert_eq!(log.matches(&line).count(), 1, "{line} in\n{log}");
    }
}

#[test]
fn lua_publishes_and_is_called_back() {
    needs!("kamailio", "event_kafka", "kafka", "tm.so", "app_lua.so");
    let _turn = turn::light();
    works(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS));
}

#[test]
fn python_publishes_and_is_called_back() {
    needs!(
        "kamailio",
        "event_kafka",
        "kafka",
        "tm.so",
        "app_python3.so"
    );
    let _turn = turn::light();
    works(&Script::python(PYTHON_REQUEST, PYTHON_FUNCTIONS));
}
