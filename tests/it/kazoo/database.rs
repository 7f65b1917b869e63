//! A database for presence, and what is written into it.

use std::process::Command;

use serde_json::{Value, json};

use crate::kamailio::Config;
use crate::require;

/// Kamailio's own scripts for the tables.
const TABLES: [&str; 2] = ["standard-create.sql", "presence-create.sql"];

/// A database file.
pub(super) struct Database(pub(super) String);

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
    pub(super) fn run(&self, sql: &str) -> Vec<Value> {
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
    pub(super) fn rows(&self, event: &str) -> Vec<Value> {
        let columns =
            "username, domain, event, etag, sender, body, priority, expires, received_time";
        self.run(&format!(
            "SELECT {columns} FROM presentity WHERE event = '{event}' ORDER BY id"
        ))
    }
}

pub(super) fn with_database(config: Config) -> (Config, Database) {
    let database = Database::in_folder_of(&config);
    let config = config
        .before("loadmodule \"db_sqlite.so\"")
        .number("pua_mode", 1)
        .text_param("db_url", &format!("sqlite:///{}", database.0));
    (config, database)
}

/// An update of a dialog, as the bus tells it.
pub(super) fn dialog(state: &str, call: &str) -> Value {
    json!({"Event-Name": "update", "Event-Package": "dialog", "State": state, "Call-ID": call,
        "From": "sip:alice@example.com", "From-User": "alice", "From-Realm": "example.com",
        "To": "sip:bob@example.com", "To-User": "bob", "To-Realm": "example.com",
        "From-Tag": "ft", "To-Tag": "tt", "Direction": "initiator", "Expires": 100})
}
