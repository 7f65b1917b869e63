//! The settings of the kazoo module.

mod rows;

pub use rows::SETTINGS;

use super::payload::Identity;
use super::server::{self, Server};
use super::subscription::Subscription;
use crate::config::{COMMON, Common, Given, Values, check};
use rows::{DEFAULT_APP, DEFAULT_ESCAPE, DEFAULT_KEY, DEFAULT_SUBKEY, DEFAULT_TABLE, DEFAULT_ZONE};
use serde::{Deserialize, Serialize};

/// The longest node_hostname, in bytes: names of queues and keys are made of it.
const HOSTNAME_BYTES_MAX: usize = 200;

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
