//! Presence: rows through Kamailio's database API.

use serde_json::{Value, json};

use super::broker::alone;
use super::database::{Database, dialog, with_database};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::script::Script;
use crate::turn;

/// With a database; the request's user part says which function gets the body.
const PUBLISH: &str = r#"
    switch ($rU) {
        case "any": kazoo_pua_publish($rb); break;
        case "quoted": kazoo_pua_publish("$rb"); break;
        case "mwi": kazoo_pua_publish_mwi($rb); break;
        case "presence": kazoo_pua_publish_presence($rb); break;
        case "dialog": kazoo_pua_publish_dialoginfo($rb); break;
    }
    $var(answer) = "rc=" + $rc;"#;

fn publishing() -> (Kamailio, Database) {
    let (config, database) = with_database(alone().number("drain_timeout_ms", 100));
    (config.request(PUBLISH).start(), database)
}

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn send(kamailio: &Kamailio, which: &str, document: &Value) -> String {
    kamailio
        .sip()
        .message(which, document.to_string().as_bytes())
}

#[test]
fn a_dialog_is_a_row_of_its_call() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (kamailio, database) = publishing();
    let before = now();
    assert_eq!(send(&kamailio, "any", &dialog("early", "call-1")), "rc=1");
    let rows = database.rows("dialog");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    for (column, value) in [
        ("username", "alice"),
        ("domain", "example.com"),
        ("etag", "call-1"),
        ("sender", "sip:call-1"),
    ] {
        assert_eq!(row[column], value, "{row}");
    }
    assert_eq!(row["priority"], 0);
    let expires = row["expires"].as_i64().unwrap();
    assert!((before + 100..=now() + 100).contains(&expires), "{row}");
    let body = row["body"].as_str().unwrap();
    for part in [
        r#"entity="sip:alice@example.com""#,
        r#"call-id="call-1""#,
        r#"local-tag="ft""#,
        r#"remote-tag="tt""#,
        r#"direction="initiator""#,
        "<state>early</state>",
        r#"<identity display="alice">sip:alice@example.com</identity>"#,
        r#"<target uri="sip:bob@example.com"/>"#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    // The same call changes its row; another one has another.
    assert_eq!(
        send(&kamailio, "quoted", &dialog("confirmed", "call-1")),
        "rc=1"
    );
    assert_eq!(
        send(&kamailio, "dialog", &dialog("early", "call-2")),
        "rc=1"
    );
    let rows = database.rows("dialog");
    assert_eq!(rows.len(), 2, "{rows:?}");
    let states: Vec<bool> = ["confirmed", "early"]
        .iter()
        .map(|state| {
            rows.iter()
                .any(|row| row["body"].as_str().unwrap().contains(state))
        })
        .collect();
    assert_eq!(states, [true, true], "{rows:?}");
    kamailio.stop();
}

#[test]
fn a_flush_takes_all_dialogs_of_the_user() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (kamailio, database) = publishing();
    for call in ["call-1", "call-2"] {
        assert_eq!(send(&kamailio, "dialog", &dialog("early", call)), "rc=1");
    }
    // A flush takes all of that user's with it.
    let mut flush = dialog("terminated", "call-3");
    flush["Flush-Level"] = json!(1);
    assert_eq!(send(&kamailio, "dialog", &flush), "rc=1");
    let rows = database.rows("dialog");
    assert_eq!(
        (rows.len(), &rows[0]["etag"]),
        (1, &json!("call-3")),
        "{rows:?}"
    );
    kamailio.stop();
}

#[test]
fn a_dialog_may_be_of_another_presentity_than_the_caller() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (kamailio, database) = publishing();
    let mut other = dialog("early", "call-4");
    other["Presentity"] = json!("sip:carol@other.com");
    other["Presentity-User"] = json!("carol");
    other["Presentity-Realm"] = json!("other.com");
    other["Switch-URI"] = json!("sip:switch@1.2.3.4");
    other["ETag"] = json!("an-etag");
    assert_eq!(send(&kamailio, "dialog", &other), "rc=1");
    let rows = database.run("SELECT * FROM presentity WHERE username = 'carol'");
    assert_eq!(rows[0]["domain"], "other.com");
    assert_eq!(
        (&rows[0]["sender"], &rows[0]["etag"]),
        (&json!("sip:switch@1.2.3.4"), &json!("an-etag"))
    );
    kamailio.stop();
}

#[test]
fn messages_waiting_and_presence_have_one_row_a_user() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (kamailio, database) = publishing();
    let waiting = json!({"Event-Name": "update", "Event-Package": "message-summary",
        "From": "sip:alice@example.com", "From-User": "alice", "From-Realm": "example.com",
        "To": "sip:alice@example.com", "Call-ID": "mwi-1", "Messages-Waiting": "yes",
        "Messages-New": 3, "Messages-Saved": "2", "Messages-Urgent": 0,
        "Messages-Urgent-Saved": 0, "Message-Account": "sip:alice@example.com", "Expires": 60});
    assert_eq!(send(&kamailio, "mwi", &waiting), "rc=1");
    let rows = database.rows("message-summary");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        rows[0]["body"],
        "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 3/2 (0/0)\r\n"
    );
    let mut later = waiting.clone();
    later["Call-ID"] = json!("mwi-2");
    later["Messages-Waiting"] = json!("no");
    assert_eq!(send(&kamailio, "any", &later), "rc=1");
    let rows = database.rows("message-summary");
    assert_eq!(
        (rows.len(), &rows[0]["etag"]),
        (1, &json!("mwi-2")),
        "{rows:?}"
    );

    for (state, note, basic) in [
        ("early", "Busy", "open"),
        ("confirmed", "On the Phone", "open"),
        ("offline", "Offline", "closed"),
        ("online", "Available", "open"),
    ] {
        let mut presence = dialog(state, &format!("p-{state}"));
        presence["Event-Package"] = json!("presence");
        assert_eq!(send(&kamailio, "presence", &presence), "rc=1");
        let rows = database.rows("presence");
        assert_eq!(rows.len(), 1, "{rows:?}");
        let body = rows[0]["body"].as_str().unwrap();
        assert!(
            body.contains(note) && body.contains(&format!("<basic>{basic}</basic>")),
            "{body}"
        );
    }
    kamailio.stop();
}

#[test]
fn what_is_missing_wrong_or_of_another_kind() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (kamailio, database) = publishing();
    let mut sip = kamailio.sip();
    for which in ["any", "quoted", "mwi", "presence", "dialog"] {
        for bad in ["", "not json", "[]", "null"] {
            assert_eq!(sip.message(which, bad.as_bytes()), "rc=-1", "{which} {bad}");
        }
    }
    // Not for us: nothing is done, and that is no mistake.
    assert_eq!(sip.message("any", br#"{"Event-Name":"other"}"#), "rc=1");
    let unknown = br#"{"Event-Name":"update","Event-Package":"unknown"}"#;
    assert_eq!(sip.message("any", unknown), "rc=1");
    let mut stateless = dialog("early", "c");
    stateless["State"] = json!("");
    send(&kamailio, "dialog", &stateless);
    assert!(database.run("SELECT * FROM presentity").is_empty());
    // Markup and quotes in every field stay text.
    let mut hostile = dialog("early", "c'\";--");
    hostile["From"] = json!("sip:a&b<c>\"d'@example.com");
    hostile["From-User"] = json!("x' OR '1'='1");
    hostile["From-Tag"] = json!("<&\"'>");
    assert_eq!(send(&kamailio, "dialog", &hostile), "rc=1");
    let rows = database.rows("dialog");
    assert_eq!(rows[0]["username"], "x' OR '1'='1");
    assert_eq!(rows[0]["etag"], "c'\";--");
    let body = rows[0]["body"].as_str().unwrap();
    assert!(body.contains("sip:a&amp;b&lt;c&gt;"), "{body}");
    assert!(!body.contains("a&b<c>"), "{body}");
    // Far more than the original has room for.
    let mut long = dialog("early", "long");
    long["From-Tag"] = json!("t".repeat(4000));
    assert_eq!(send(&kamailio, "dialog", &long), "rc=1");
    let rows = database.run("SELECT body FROM presentity WHERE etag = 'long'");
    assert!(
        rows[0]["body"]
            .as_str()
            .unwrap()
            .contains(&"t".repeat(4000))
    );
    kamailio.stop();
}

const LUA_REQUEST: &str = r#"
    local user = KSR.pv.gete("$rU")
    local json = KSR.pv.gete("$rb")
    local rc = 0
    if user == "any" then rc = KSR.kazoo.kazoo_pua_publish(json)
    elseif user == "mwi" then rc = KSR.kazoo.kazoo_pua_publish_mwi(json)
    elseif user == "presence" then rc = KSR.kazoo.kazoo_pua_publish_presence(json)
    elseif user == "dialog" then rc = KSR.kazoo.kazoo_pua_publish_dialoginfo(json)
    end
    KSR.sl.send_reply(200, "rc=" .. rc)
"#;

#[test]
fn a_kemi_script_writes_the_same_rows() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "app_lua.so", "python3");
    let _turn = turn::light();
    let (config, database) = with_database(alone().number("drain_timeout_ms", 100));
    let kamailio = config.script(&Script::lua(LUA_REQUEST, "")).start();
    for (user, call) in [("any", "call-1"), ("dialog", "call-2")] {
        assert_eq!(send(&kamailio, user, &dialog("early", call)), "rc=1");
    }
    for user in ["mwi", "presence"] {
        assert_eq!(send(&kamailio, user, &dialog("early", "call-3")), "rc=1");
    }
    assert_eq!(send(&kamailio, "presence", &json!({})), "rc=-1");
    let count = |event| database.rows(event).len();
    assert_eq!(
        (count("dialog"), count("message-summary"), count("presence")),
        (2, 1, 1)
    );
    kamailio.stop();
}

#[test]
fn without_a_database_the_functions_are_false() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    for mode in [0, 1] {
        let config = Config::of("kazoo").text_param("node_hostname", "h");
        let config = config
            .number("pua_mode", mode)
            .number("drain_timeout_ms", 100);
        let kamailio = config.request(PUBLISH).start();
        assert_eq!(send(&kamailio, "any", &dialog("early", "c")), "rc=-1");
        kamailio.stop();
    }
}

#[test]
fn the_entity_settings_act() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "python3");
    let _turn = turn::light();
    let (config, database) = with_database(alone().number("drain_timeout_ms", 100));
    let kamailio = config
        .number("pua_include_entity", 0)
        .text_param("presentity_table", "presentity")
        .request(PUBLISH)
        .start();
    assert_eq!(send(&kamailio, "dialog", &dialog("early", "c")), "rc=1");
    let body = database.rows("dialog")[0]["body"].to_string();
    assert!(!body.contains("<target"), "{body}");
    kamailio.stop();
}
