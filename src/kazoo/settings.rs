//! The settings of the kazoo module.

use super::payload::Identity;
use super::server::{self, Server};
use super::subscription::Subscription;
use crate::config::{ANY, COMMON, Common, FLAG, Given, Kind, Setting, TEXT, Values, check, row};
use serde::{Deserialize, Serialize};

const DEFAULT_APP: &str = "kamailio";
const DEFAULT_ZONE: &str = "local";
const DEFAULT_KEY: &str = "Event-Category";
const DEFAULT_SUBKEY: &str = "Event-Name";
const DEFAULT_TABLE: &str = "presentity";
const DEFAULT_ESCAPE: &str = "%";

/// The longest node_hostname, in bytes: names of queues and keys are made of it.
const HOSTNAME_BYTES_MAX: usize = 200;

/// Seconds of a timeout, at the most.
const SECONDS: Kind = Kind::Number { min: 0, max: 3600 };

/// Microseconds that come on top of them.
const MICROSECONDS: Kind = Kind::Number {
    min: 0,
    max: 3_600_000_000,
};

const UNUSED: &str = "Accepted for compatibility, without effect: there are no loops that wait.";

/// The module's own rows; [`COMMON`] are the others.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row("node_hostname", TEXT, "", "",
        "The name of this host, as messages and queues bear it. Mandatory. Two Kamailios at one server need different names."),
    row("app_name", TEXT, DEFAULT_APP, "",
        "App-Name of messages that have none."),
    row("amqp_connection", Kind::Texts, "", "",
        "A server: [zone=NAME;]amqp://user:password@host:port/vhost, or amqps:// for TLS, or kazoo://, which means amqp://. Left out are guest, guest, 5672 (5671 with TLS) and the vhost /. Several lines of a zone are a failover list for publishing; all are consumed from."),
    row("amqp_primary_zone", TEXT, DEFAULT_ZONE, "",
        "The zone of connections without one, and the zone that messages are published in."),
    row("amqp_max_channels", ANY, "50", "",
        "Accepted for compatibility, without effect: a connection has the channels that it needs."),
    row("amqp_heartbeats", Kind::Number { min: 0, max: 3600 }, "0", "seconds",
        "How often a quiet connection is tested by both sides; 0 for never. A connection that is silent for two of them is made again."),
    row("amqp_connect_timeout_sec", SECONDS, "0", "seconds",
        "How long an attempt to connect may take, log-in included; amqp_connect_timeout_micro comes on top."),
    row("amqp_connect_timeout_micro", MICROSECONDS, "200000", "microseconds",
        "See amqp_connect_timeout_sec. Both 0: 200000."),
    row("reconnect_wait_ms_max", Kind::Number { min: 10, max: 600_000 }, "2000", "milliseconds",
        "The longest pause between two attempts to connect. The first follows at once, then pauses grow from 50 ms, with jitter. There is no last attempt."),
    row("publisher_confirms", FLAG, "1", "",
        "1: a message is kept until the server has confirmed it. 0: until it was written."),
    row("amqp_query_timeout_sec", SECONDS, "2", "seconds",
        "How long a query waits for its answer; amqp_query_timeout_micro comes on top."),
    row("amqp_query_timeout_micro", MICROSECONDS, "0", "microseconds",
        "See amqp_query_timeout_sec. Both 0: 2 seconds."),
    row("amqp_query_timeout_avp", TEXT, "", "milliseconds",
        "A pseudo-variable, usually an AVP, whose value in milliseconds is the timeout of the next query instead, if it is above 0."),
    row("amqp_result_avp", TEXT, "$avp(amqp_result)", "",
        "Accepted for compatibility, without effect."),
    row("async_queries_max", Kind::Number { min: 1, max: 65_536 }, "1024", "",
        "The most async queries that may wait for their answers at a time. One more fails at once."),
    row("reply_size_max", Kind::Number { min: 1024, max: 1 << 29 }, "1048576", "bytes",
        "Longest answer that a blocking query takes; a longer one fails it. Each process has that much room, whose pages are touched only as they are used."),
    row("amqp_consumer_processes", ANY, "1", "",
        "Accepted for compatibility, without effect: the engine reads for all."),
    row("amqp_consumer_workers", Kind::Number { min: 0, max: 256 }, "8", "",
        "Processes that run the event routes, and resume what an async query has suspended. 0 means one."),
    row("prefetch", Kind::Number { min: 1, max: 65_535 }, "250", "",
        "For subscriptions with no_ack 0: how many messages per worker the server may send that are not acknowledged yet."),
    row("amqp_consumer_event_key", TEXT, DEFAULT_KEY, "",
        "The field of a message that makes the first part of its event route's name."),
    row("amqp_consumer_event_subkey", TEXT, DEFAULT_SUBKEY, "",
        "The field for the second part."),
    row("event_callback", TEXT, "", "",
        "Name of the KEMI function that is called instead of event routes."),
    row("json_escape_char", TEXT, DEFAULT_ESCAPE, "",
        "What stands for a dot in the names of a JSON path. Of several characters the first one counts."),
    row("amqps_ca_cert", TEXT, "", "",
        "File with the certificates (PEM) that an amqps:// server's must come from. Without it, those the system trusts."),
    row("amqps_cert", TEXT, "", "",
        "File with this client's certificate chain (PEM), for servers that ask for one. Needs amqps_key."),
    row("amqps_key", TEXT, "", "",
        "File with the key (PEM) of amqps_cert."),
    row("amqps_verify_peer", FLAG, "1", "",
        "0: any server certificate will do. The connection is encrypted then, but to whom is not known."),
    row("amqps_verify_hostname", FLAG, "1", "",
        "0: the server's certificate may be for another name."),
    row("pua_mode", FLAG, "1", "",
        "0: the kazoo_pua_publish functions are not used, and no database is connected to."),
    row("db_url", TEXT, "", "",
        "The database with the presentity table. Without it, the kazoo_pua_publish functions fail."),
    row("presentity_table", TEXT, DEFAULT_TABLE, "",
        "The name of that table."),
    row("pua_include_entity", FLAG, "1", "",
        "1: dialog documents have a target element for both sides."),
    row("presence_use_full_entity", FLAG, "0", "",
        "0: the entity of presence documents is From-User. 1: it is From."),
    row("pua_lock_type", Kind::Number { min: 0, max: 2 }, "1", "",
        "How the table is locked while a row is written: 0 not at all, 1 for writing, 2 for reading, too."),
    row("amqp_command_hashtable_size", ANY, "2048", "",
        "Accepted for compatibility, without effect: tables grow by themselves."),
    row("amqp_waitframe_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_waitframe_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_consumer_ack_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_consumer_ack_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_interprocess_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_interprocess_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_timmer_process_interval", ANY, "200", "milliseconds", UNUSED),
    row("amqp_timer_process_interval", ANY, "200", "milliseconds", UNUSED),
    row("amqp_internal_loop_count", ANY, "5", "", UNUSED),
    row("amqp_consumer_loop_count", ANY, "10", "", UNUSED),
    row("amqp_consumer_ack_loop_count", ANY, "20", "", UNUSED),
    row("single_consumer_on_reconnect", ANY, "1", "",
        "Accepted for compatibility, without effect: each subscription says by consistent-worker whether it needs that."),
    row("consume_messages_on_reconnect", ANY, "1", "",
        "Accepted for compatibility, without effect: what waits in a queue is always consumed."),
    row("use_federated_exchange", ANY, "0", "",
        "Accepted for compatibility, without effect: each subscription says by federate whether it is made in all zones."),
    row("federated_exchange", TEXT, "federation", "",
        "Accepted for compatibility, without effect."),
];

/// TLS, for `amqps://` servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<String>,
    /// Client certificate chain.
    pub cert_file: Option<String>,
    /// Its key.
    pub key_file: Option<String>,
    /// The server's certificate must come from a trusted one.
    pub verify_peer: bool,
    /// The server's certificate must have its name.
    pub verify_hostname: bool,
}

/// Where presence goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The functions may be used.
    pub enabled: bool,
    /// A database was named. Its address stays with Kamailio's side: it may hold a password.
    pub has_database: bool,
    /// The table's name.
    pub table: String,
    /// Dialog documents have targets.
    pub include_entity: bool,
    /// The entity of presence documents is the whole address.
    pub full_entity: bool,
    /// Kamailio's number of the way to lock the table.
    pub lock_type: u8,
}

/// Everything the connector and the functions need to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What all modules have.
    pub common: Common,
    /// This host.
    pub node_hostname: String,
    /// `App-Name` of messages without one.
    pub app_name: String,
    /// In the order given: server number n is the one at n - 1. May be empty.
    pub servers: Vec<Server>,
    /// The zone that is published in.
    pub primary_zone: String,
    /// Interval of heartbeats; 0 for none.
    pub heartbeat_s: u16,
    /// Limit of an attempt to connect.
    pub connect_timeout_ms: u64,
    /// Longest pause between attempts.
    pub reconnect_wait_ms_max: u64,
    /// A message is kept until it is confirmed.
    pub publisher_confirms: bool,
    /// How long queries wait.
    pub query_timeout_ms: u64,
    /// The pseudo-variable that may say otherwise.
    pub query_timeout_avp: Option<String>,
    /// The most async queries at a time.
    pub async_queries_max: usize,
    /// Longest answer of a blocking query.
    pub reply_bytes_max: usize,
    /// Event workers, at least one.
    pub workers: usize,
    /// Messages per worker that are not acknowledged.
    pub prefetch: u16,
    /// Field for the first part of an event route's name.
    pub event_key: String,
    /// Field for the second part.
    pub event_subkey: String,
    /// What stands for a dot in a path.
    pub json_escape: u8,
    /// TLS.
    pub tls: Tls,
    /// Presence.
    pub presence: Presence,
    /// Made by `kazoo:mod-init`, which runs after the settings were checked.
    pub subscriptions: Vec<Subscription>,
}

impl Settings {
    /// Checks what was given. Files are only opened, to see that they can be read.
    ///
    /// # Errors
    /// Every mistake, as a sentence without secrets.
    pub fn from_given(given: &Given) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let values = check(&[COMMON, SETTINGS], given, &mut mistakes);
        let common = Common::from_values(&values, &mut mistakes);
        let owned = |name: &str, default: &str| values.text(name).unwrap_or(default).to_owned();
        let primary_zone = owned("amqp_primary_zone", DEFAULT_ZONE);
        let escape = values.text("json_escape_char").unwrap_or(DEFAULT_ESCAPE);
        let settings = Self {
            common,
            node_hostname: node_hostname(&values, &mut mistakes),
            app_name: owned("app_name", DEFAULT_APP),
            servers: servers(&values, &primary_zone, &mut mistakes),
            primary_zone,
            heartbeat_s: u16::try_from(values.number("amqp_heartbeats")).unwrap_or(0),
            connect_timeout_ms: timeout(&values, "amqp_connect_timeout", 200),
            reconnect_wait_ms_max: values.milliseconds("reconnect_wait_ms_max"),
            publisher_confirms: values.number("publisher_confirms") == 1,
            query_timeout_ms: timeout(&values, "amqp_query_timeout", 2000),
            query_timeout_avp: values.text("amqp_query_timeout_avp").map(str::to_owned),
            async_queries_max: values.size("async_queries_max"),
            reply_bytes_max: values.size("reply_size_max"),
            workers: values.size("amqp_consumer_workers").max(1),
            prefetch: u16::try_from(values.number("prefetch")).unwrap_or(u16::MAX),
            event_key: owned("amqp_consumer_event_key", DEFAULT_KEY),
            event_subkey: owned("amqp_consumer_event_subkey", DEFAULT_SUBKEY),
            json_escape: escape.bytes().next().unwrap_or(b'%'),
            tls: tls(&values, &mut mistakes),
            presence: Presence {
                enabled: values.number("pua_mode") == 1,
                has_database: values.text("db_url").is_some(),
                table: owned("presentity_table", DEFAULT_TABLE),
                include_entity: values.number("pua_include_entity") == 1,
                full_entity: values.number("presence_use_full_entity") == 1,
                lock_type: u8::try_from(values.number("pua_lock_type")).unwrap_or(0),
            },
            subscriptions: Vec::new(),
        };
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(mistakes)
        }
    }

    /// What is added to messages that leave; `version` is Kamailio's.
    #[must_use]
    pub fn identity(&self, version: &str) -> Identity {
        Identity {
            app_name: self.app_name.clone(),
            app_version: version.to_owned(),
            node: format!("kamailio@{}", self.node_hostname),
        }
    }

    /// The servers of the primary zone, each with its number, which counts from 1.
    pub fn primary(&self) -> impl Iterator<Item = (usize, &Server)> {
        let numbered = self.servers.iter().enumerate();
        numbered
            .map(|(index, server)| (index + 1, server))
            .filter(|(_, server)| server.zone == self.primary_zone)
    }
}

fn node_hostname(values: &Values, mistakes: &mut Vec<String>) -> String {
    let name = values.text("node_hostname").unwrap_or_default();
    if name.is_empty() {
        mistakes.push("node_hostname is mandatory".to_owned());
    } else if name.len() > HOSTNAME_BYTES_MAX {
        mistakes.push(format!(
            "node_hostname: it is longer than {HOSTNAME_BYTES_MAX} bytes"
        ));
    }
    name.to_owned()
}

fn servers(values: &Values, primary: &str, mistakes: &mut Vec<String>) -> Vec<Server> {
    let lines = values.texts("amqp_connection");
    if lines.len() >= usize::from(u16::MAX) {
        mistakes.push("amqp_connection: there are too many".to_owned());
    }
    let parsed = lines.iter().filter_map(|line| {
        server::parse(line, primary)
            .map_err(|why| mistakes.push(format!("amqp_connection = {why}")))
            .ok()
    });
    parsed.collect()
}

/// The sum of `NAME_sec` and `NAME_micro` in milliseconds, rounded up; `default_ms` for none.
fn timeout(values: &Values, name: &str, default_ms: u64) -> u64 {
    let number = |unit: &str| values.milliseconds(&format!("{name}_{unit}"));
    match number("sec") * 1000 + number("micro").div_ceil(1000) {
        0 => default_ms,
        sum => sum,
    }
}

fn tls(values: &Values, mistakes: &mut Vec<String>) -> Tls {
    let names = ["amqps_ca_cert", "amqps_cert", "amqps_key"];
    for name in names {
        if let Some(file) = values.text(name)
            && let Err(error) = std::fs::File::open(file)
        {
            mistakes.push(format!("{name} = \"{file}\": {error}"));
        }
    }
    let [ca_file, cert_file, key_file] = names.map(|name| values.text(name).map(str::to_owned));
    if cert_file.is_some() != key_file.is_some() {
        mistakes.push("amqps_cert and amqps_key need each other".to_owned());
    }
    Tls {
        ca_file,
        cert_file,
        key_file,
        verify_peer: values.number("amqps_verify_peer") == 1,
        verify_hostname: values.number("amqps_verify_hostname") == 1,
    }
}
