//! KEMI: the same functions from Lua and Python, and the event callback.

use serde_json::json;

use super::broker::{shared, start};
use super::bus::{Bus, service, silent};
use crate::require::needs;
use crate::script::Script;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

const LUA_REQUEST: &str = r#"
    local user = KSR.pv.gete("$rU")
    local all = ""
    local function add(rc) all = all .. rc .. " " end
    add(KSR.kazoo.kazoo_publish("k.seen", "plain", '{"User":"' .. user .. '"}'))
    add(KSR.kazoo.kazoo_publish_headers("k.seen", "headers", '{}', "h=" .. user))
    add(KSR.kazoo.kazoo_publish("k.seen", "bad", "[]"))
    add(KSR.kazoo.kazoo_query("k.ask", "q", '{"User":"' .. user .. '"}'))
    KSR.kazoo.kazoo_json(KSR.pv.gete("$kzR"), "Answer", "$var(x)")
    add(KSR.pv.gete("$var(x)"))
    add(KSR.kazoo.kazoo_query_headers("k.ask", "headers", '{"User":"two"}', "h=" .. user))
    add(KSR.kazoo.kazoo_json('{"a":{"b":1}}', "a.b", "$var(x)"))
    add(KSR.pv.gete("$var(x)"))
    add(KSR.kazoo.kazoo_json_keys('{"a":{"b":1}}', "a", "$avp(k)"))
    add(KSR.pv.gete("$avp(k)"))
    add(KSR.kazoo.kazoo_encode("a.b", "$var(x)"))
    add(KSR.pv.gete("$var(x)"))
    add(KSR.kazoo.kazoo_subscribe("{'exchange':'k.late','type':'topic','queue':'k.late','routing':'#'}"))
    KSR.sl.send_reply(200, all)
"#;

const LUA_FUNCTIONS: &str = r##"
function kazoo_event(evname)
    if evname == "kazoo:mod-init" then
        KSR.kazoo.kazoo_subscribe("{'exchange':'k.in','type':'topic','queue':'k.in','routing':'#'}")
        KSR.kazoo.kazoo_subscribe_simple("k.in2", "topic", "k.in2", "#")
    else
        KSR.kazoo.kazoo_publish("k.seen", evname .. "|" .. KSR.pv.gete("$kzRK"), KSR.pv.gete("$kzE"))
    end
    return 1
end
"##;

const PYTHON_REQUEST: &str = r#"
        user = KSR.pv.gete("$rU")
        all = [
            KSR.kazoo.kazoo_publish("k.seen", "plain", '{"User":"%s"}' % user),
            KSR.kazoo.kazoo_publish_headers("k.seen", "headers", '{}', "h=" + user),
            KSR.kazoo.kazoo_publish("k.seen", "bad", "[]"),
            KSR.kazoo.kazoo_query("k.ask", "q", '{"User":"%s"}' % user),
            KSR.kazoo.kazoo_json(KSR.pv.gete("$kzR"), "Answer", "$var(x)") and KSR.pv.gete("$var(x)"),
            KSR.kazoo.kazoo_query_headers("k.ask", "headers", '{"User":"two"}', "h=" + user),
            KSR.kazoo.kazoo_json('{"a":{"b":1}}', "a.b", "$var(x)"),
            KSR.pv.gete("$var(x)"),
            KSR.kazoo.kazoo_json_keys('{"a":{"b":1}}', "a", "$avp(k)"),
            KSR.pv.gete("$avp(k)"),
            KSR.kazoo.kazoo_encode("a.b", "$var(x)"),
            KSR.pv.gete("$var(x)"),
            KSR.kazoo.kazoo_subscribe("{'exchange':'k.late','type':'topic','queue':'k.late','routing':'#'}"),
        ]
        KSR.sl.send_reply(200, "".join("%s " % each for each in all))
"#;

const PYTHON_FUNCTIONS: &str = r##"
    def kazoo_event(self, msg, evname):
        if evname == "kazoo:mod-init":
            KSR.kazoo.kazoo_subscribe("{'exchange':'k.in','type':'topic','queue':'k.in','routing':'#'}")
            KSR.kazoo.kazoo_subscribe_simple("k.in2", "topic", "k.in2", "#")
        else:
            KSR.kazoo.kazoo_publish("k.seen", evname + "|" + KSR.pv.gete("$kzRK"), KSR.pv.gete("$kzE"))
        return 1
"##;

/// Both languages use the same exchanges: one test at a time.
static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn works(script: &Script) {
    let _one = ONE.lock();
    let port = Rabbit::shared().port();
    let bus = Bus::to(port);
    let seen = bus.listen("k.seen", "topic", "#");
    let service = service(port, "k.ask", "#", |question| {
        vec![json!({"Answer": question["User"]})]
    });
    let kamailio = start(
        shared()
            .text_param("event_callback", "kazoo_event")
            .script(script),
    );
    let answer = kamailio.sip().message("alice", b"");
    assert_eq!(answer, "1 1 -1 1 alice 1 1 1 1 b 1 a%2Eb -1 ");
    assert_eq!(service.seen()[1].headers["h"], "alice");
    let of = |key: &str| {
        let all = seen.messages().into_iter();
        all.filter(|each| each.key == key).collect::<Vec<_>>()
    };
    crate::wait::until("both arrived", || {
        of("plain").len() + of("headers").len() == 2
    });
    assert_eq!(of("plain")[0].json()["User"], "alice");
    assert_eq!(of("headers")[0].headers["h"], "alice");
    // The callback gets the name of the last resort, whatever the message says.
    bus.publish(
        "k.in",
        "key",
        r#"{"Event-Category":"a","Event-Name":"b","n":1}"#,
    );
    bus.publish("k.in2", "key2", r#"{"n":2}"#);
    for (key, number) in [("key", 1), ("key2", 2)] {
        let name = format!("kazoo:consumer-event|{key}");
        crate::wait::until("the callback ran", || !of(&name).is_empty());
        assert_eq!(of(&name)[0].json()["n"], number);
    }
    kamailio.stop();
}

#[test]
fn everything_works_from_lua() {
    needs!("kamailio", "kazoo", "rabbitmq", "app_lua.so");
    let _turn = turn::light();
    works(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS));
}

#[test]
fn everything_works_from_python() {
    needs!("kamailio", "kazoo", "rabbitmq", "app_python3.so");
    let _turn = turn::light();
    works(&Script::python(PYTHON_REQUEST, PYTHON_FUNCTIONS));
}

const ASYNC_REQUEST: &str = r#"
    local exchange = KSR.pv.gete("$rU")
    local rc
    if exchange == "k.async" then
        rc = KSR.kazoo.kazoo_async_query(exchange, "q", "{}", "ksr_answered", "ksr_failed")
    elseif exchange == "k.silent" then
        rc = KSR.kazoo.kazoo_query_async(exchange, "q", "{}", "ksr_answered", "ksr_failed")
    else
        rc = KSR.kazoo.kazoo_async_query(exchange, "q", "{}", "ksr_answered", "")
    end
    if rc < 0 then
        KSR.sl.send_reply(503, "false")
    end
"#;

const ASYNC_FUNCTIONS: &str = r#"
function ksr_answered()
    KSR.kazoo.kazoo_json(KSR.pv.gete("$kzR"), "Answer", "$var(x)")
    KSR.tm.t_reply(200, KSR.pv.gete("$var(x)"))
    return 1
end
function ksr_failed()
    KSR.tm.t_reply(500, "failed")
    return 1
end
function kazoo_event(evname)
    return 1
end
"#;

#[test]
fn an_async_query_resumes_functions_of_the_script() {
    needs!("kamailio", "kazoo", "rabbitmq", "app_lua.so", "tmx.so");
    let _turn = turn::light();
    let port = Rabbit::shared().port();
    let _answers = service(port, "k.async", "#", |_| vec![json!({"Answer": "hello"})]);
    let _silent = silent("k.silent");
    let kamailio = start(
        shared()
            .suspending()
            .number("amqp_query_timeout_sec", 0)
            .number("amqp_query_timeout_micro", 300_000)
            .script(&Script::lua(ASYNC_REQUEST, ASYNC_FUNCTIONS)),
    );
    let mut sip = kamailio.sip();
    for (exchange, code, reason) in [("k.async", 200, "hello"), ("k.silent", 500, "failed")] {
        let number = sip.send("MESSAGE", exchange, b"");
        let answer = sip.answer(number);
        assert_eq!(answer, (code, reason.into()));
    }
    // Without a route for the failure nothing is sent.
    assert_eq!(sip.ask("MESSAGE", "k.unrouted", b"").reason, "false");
    assert_eq!(kamailio.counter("refused_invalid"), 1);
    kamailio.stop();
}

#[test]
fn native_routes_work_where_the_script_only_lends_its_function() {
    needs!("kamailio", "kazoo", "rabbitmq", "app_lua.so");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let config = shared().routes(
        r##"event_route[kazoo:mod-init] { kazoo_subscribe("k.native", "topic", "k.native", "#"); }
           event_route[kazoo:consumer-event] { $var(n) = $shtinc(count=>events); }"##,
    );
    let kamailio = start(config.lent(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS)));
    bus.publish("k.native", "x", "{}");
    kamailio.wait_counted("events", 1);
    kamailio.stop();
}
