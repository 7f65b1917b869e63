//! Presence: rows through Kamailio's database API, and watchers that get what was published.

use std::net::UdpSocket;
use std::process::Command;

use serde_json::{Value, json};

use super::broker::{alone, shared, start};
use super::bus::Bus;
use crate::kamailio::{Config, Kamailio};
use crate::require::{self, needs};
use crate::server::rabbitmq::Rabbit;
use crate::{turn, wait};

/// Kamailio's own scripts for the tables.
const TABLES: [&str; 2] = ["standard-create.sql", "presence-create.sql"];

/// A database file.
struct Database(String);

impl Database {
    fn in_folder_of(config: &Config) -> Self {
        let database = Self(config.folder().join("presence.db").display().to_string());
        for file in TABLES {
            let path = format!("/usr/share/kamailio/db_sqlite/{file}");
            database.run(&std::fs::read_to_string(path).unwrap());
        }
        database
    }

    /// Runs statements; what the last one selects, as a list of objects.
    fn run(&self, sql: &str) -> Vec<Value> {
        let script = "import json, sqlite3, sys\n\
            c = sqlite3.connect(sys.argv[1], timeout=30); c.row_factory = sqlite3.Row\n\
            c.text_factory = lambda b: b.decode('utf-8', 'replace')\n\
            s = [x for x in sys.argv[2].split(';') if x.strip()]\n\
            r = [dict(row) for row in [c.execute(x) for x in s][-1]]; c.commit()\n\
            print(json.dumps([{k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()} for row in r]))";
        let python = require::program("python3").unwrap();
        let output = Command::new(python)
            .args(["-c", script, &self.0, sql])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The rows of one event package, in the order they were written.
    fn rows(&self, event: &str) -> Vec<Value> {
        let columns =
            "username, domain, event, etag, sender, body, priority, expires, received_time";
        self.run(&format!(
            "SELECT {columns} FROM presentity WHERE event = '{event}' ORDER BY id"
        ))
    }
}

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

fn with_database(config: Config) -> (Config, Database) {
    let database = Database::in_folder_of(&config);
    let config = config
        .before("loadmodule \"db_sqlite.so\"")
        .number("pua_mode", 1)
        .text_param("db_url", &format!("sqlite:///{}", database.0));
    (config, database)
}

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

fn dialog(state: &str, call: &str) -> Value {
    json!({"Event-Name": "update", "Event-Package": "dialog", "State": state, "Call-ID": call,
        "From": "sip:alice@example.com", "From-User": "alice", "From-Realm": "example.com",
        "To": "sip:bob@example.com", "To-User": "bob", "To-Realm": "example.com",
        "From-Tag": "ft", "To-Tag": "tt", "Direction": "initiator", "Expires": 100})
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

const LUA: &str = r#"
function ksr_request_route()
    if KSR.pv.get("$rm") == "OPTIONS" then
        KSR.sl.send_reply(200, "OK")
        return 1
    end
    local user = KSR.pv.gete("$rU")
    local json = KSR.pv.gete("$rb")
    local rc = 0
    if user == "any" then rc = KSR.kazoo.kazoo_pua_publish(json)
    elseif user == "mwi" then rc = KSR.kazoo.kazoo_pua_publish_mwi(json)
    elseif user == "presence" then rc = KSR.kazoo.kazoo_pua_publish_presence(json)
    elseif user == "dialog" then rc = KSR.kazoo.kazoo_pua_publish_dialoginfo(json)
    end
    KSR.sl.send_reply(200, "rc=" .. rc)
    return 1
end
"#;

#[test]
fn a_kemi_script_writes_the_same_rows() {
    needs!("kamailio", "kazoo", "db_sqlite.so", "app_lua.so", "python3");
    let _turn = turn::light();
    let (config, database) = with_database(alone().number("drain_timeout_ms", 100));
    let kamailio = config.script("lua", "presence.lua", LUA).start();
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
