//! KEMI: all eight functions, and the event callback, from Lua.

use super::client::Client;
use super::listener::on;
use super::suspend::question;
use crate::require::needs;
use crate::script::Script;
use crate::{port, turn};

const LUA_REQUEST: &str = r#"
    local user = KSR.pv.gete("$rU")
    if user == "plain" then
        local rc = KSR.evapi.relay("all") .. KSR.evapi.relay_multicast("many", "lua")
            .. KSR.evapi.relay_unicast("one", "lua") .. KSR.evapi.relay("")
            .. KSR.evapi.relay_multicast("x", "") .. KSR.evapi.relay_unicast("", "lua")
            .. KSR.evapi.close() .. KSR.evapi.set_tag("x")
        KSR.sl.send_reply(200, rc)
        return 1
    end
    KSR.tm.t_newtran()
    local data = KSR.pv.gete("$T(id_index)") .. ":" .. KSR.pv.gete("$T(id_label)") .. ":" .. user
    local rc
    if user == "relay" then
        rc = KSR.evapi.async_relay(data)
    elseif user == "unicast" then
        rc = KSR.evapi.async_unicast(data, "lua")
    elseif user == "multicast" then
        rc = KSR.evapi.async_multicast(data, "lua")
    else
        rc = KSR.evapi.async_multicast(data, "nobody")
    end
    if rc < 0 then
        KSR.sl.send_reply(503, "false " .. rc)
    end
"#;

const LUA_FUNCTIONS: &str = r#"
function ksr_evapi_event(evname)
    local msg = KSR.pv.gete("$evapi(msg)")
    if evname == "evapi:connection-new" then
        KSR.evapi.relay("new")
        KSR.evapi.set_tag("lua")
    elseif evname == "evapi:message-received" and msg == "close" then
        KSR.evapi.relay("bye")
        KSR.evapi.close()
    elseif evname == "evapi:message-received" then
        KSR.pv.sets("$var(text)", KSR.pv.gete("$(evapi(msg){s.select,2,:})"))
        local index = KSR.pv.get("$(evapi(msg){s.select,0,:}{s.int})")
        local label = KSR.pv.get("$(evapi(msg){s.select,1,:}{s.int})")
        KSR.tmx.t_continue(index, label, "ksr_resumed")
    elseif evname == "evapi:connection-closed" then
        KSR.htable.sht_inc("count", "closed")
    end
    return 1
end

function ksr_resumed()
    KSR.sl.send_reply(200, KSR.pv.gete("$var(text)"))
    return 1
end
"#;

#[test]
fn all_functions_and_the_callback_work_from_lua() {
    needs!("kamailio", "evapi", "tmx.so", "app_lua.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .text_param("event_callback", "ksr_evapi_event")
        .script(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS))
        .start();
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(client.text(), "new");
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("plain", b""), "111-1-1-1-1-1");
    for expected in ["all", "many", "one"] {
        assert_eq!(client.text(), expected);
    }
    for function in ["relay", "unicast", "multicast"] {
        let number = sip.send("MESSAGE", function, b"");
        let (key, text) = question(&mut client);
        assert_eq!(text, function);
        client.send(format!("{key}:by {function}"));
        assert_eq!(sip.answer(number), (200, format!("by {function}")));
    }
    let number = sip.send("MESSAGE", "nobody", b"");
    assert_eq!(sip.answer(number), (503, "false -2".into()));
    client.send("close");
    assert_eq!(client.rest(), ["bye"]);
    kamailio.wait_counted("closed", 1);
    kamailio.stop();
}

#[test]
fn a_route_goes_before_the_callback() {
    needs!("kamailio", "evapi", "tmx.so", "app_lua.so");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .suspending()
        .text_param("event_callback", "ksr_evapi_event")
        .script(&Script::lua(LUA_REQUEST, LUA_FUNCTIONS))
        .routes(r#"event_route[evapi:message-received] { evapi_relay("route|$evapi(msg)"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    assert_eq!(client.text(), "new");
    client.send("hello");
    assert_eq!(client.text(), "route|hello");
    kamailio.stop();
}
