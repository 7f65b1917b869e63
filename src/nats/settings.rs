//! The settings of the NATS module.

use super::credentials::Credentials;
use super::subject;
use super::url::{self, Server};
use crate::config::{COMMON, Common, FLAG, Given, Kind, Setting, TEXT, check, row};
use serde::{Deserialize, Serialize};

const DEFAULT_URL: &str = "nats://localhost:4222";

/// The module's own rows; [`COMMON`] are the others.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row("nats_url", Kind::Texts, DEFAULT_URL, "",
        "A server: nats:// or tls://, then user:password@ or token@ if it wants a login, host, and port (4222 if there is none). Several lines are a failover list, tried in turn."),
    row("num_publish_workers", Kind::Number { min: 0, max: i64::MAX }, "2", "",
        "Accepted for compatibility, without effect: publishing needs no processes of its own."),
    row("subject_queue_group", Kind::Texts, "", "",
        "A subscription as subject:group. Each line has an event worker of its own; the subject may have the wildcards * and >."),
    row("event_callback", TEXT, "", "",
        "Name of the KEMI function that is called for events without an event route."),
    row("tls", FLAG, "0", "",
        "1: connect with TLS to every server, also those given with nats://. tls_ca_file is mandatory then."),
    row("tls_ca_file", TEXT, "", "",
        "File with the certificates (PEM) that the server's must come from. Without it, for tls:// addresses, those the system trusts."),
    row("tls_cert_file", TEXT, "", "",
        "File with this client's certificate chain (PEM), for servers that ask for one. Needs tls_key_file."),
    row("tls_key_file", TEXT, "", "",
        "File with the key (PEM) of tls_cert_file."),
    row("tls_expected_hostname", TEXT, "", "",
        "The name that the server's certificate must have, if it is not the address's host."),
    row("credentials_file", TEXT, "", "",
        "A .creds file (user JWT and key) to log in with."),
    row("connect_timeout_ms", Kind::Number { min: 10, max: 600_000 }, "2000", "milliseconds",
        "How long an attempt to connect may take, login included."),
    row("reconnect_wait_ms_max", Kind::Number { min: 10, max: 600_000 }, "2000", "milliseconds",
        "The longest pause between two attempts to connect. The first follows at once, then pauses grow from 50 ms, with jitter. There is no last attempt."),
    row("ping_interval_ms", Kind::Number { min: 100, max: 3_600_000 }, "120000", "milliseconds",
        "How often an idle connection is tested. One that leaves two tests unanswered is given up."),
];

/// A line of `subject_queue_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Subject, maybe with wildcards.
    pub subject: String,
    /// Queue group.
    pub queue: String,
}

/// TLS files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Use TLS with every server.
    pub always: bool,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<String>,
    /// Client certificate chain.
    pub cert_file: Option<String>,
    /// Its key.
    pub key_file: Option<String>,
    /// Name the server must have.
    pub hostname: Option<String>,
}

/// Everything the connector needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What all modules have.
    pub common: Common,
    /// Failover list, never empty.
    pub servers: Vec<Server>,
    /// One inbox each.
    pub subscriptions: Vec<Subscription>,
    /// TLS files.
    pub tls: Tls,
    /// `.creds` file.
    pub credentials_file: Option<String>,
    /// Limit of an attempt to connect.
    pub connect_timeout_ms: u64,
    /// Longest pause between attempts.
    pub reconnect_wait_ms_max: u64,
    /// Idle time before a test.
    pub ping_interval_ms: u64,
    /// There is an inbox for connection events, behind the subscriptions'.
    pub connection_events: bool,
}

impl Settings {
    /// Checks what was given. Reads the files that are named only as far as to see that they can
    /// be read.
    ///
    /// # Errors
    /// Every mistake, as a sentence without secrets.
    pub fn from_given(given: &Given, connection_events: bool) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let values = check(&[COMMON, SETTINGS], given, &mut mistakes);
        let common = Common::from_values(&values, &mut mistakes);
        let default = [DEFAULT_URL.to_owned()];
        let urls = Some(values.texts("nats_url")).filter(|urls| !urls.is_empty());
        let servers = collect(
            "nats_url",
            urls.unwrap_or(&default),
            &mut mistakes,
            url::parse,
        );
        let lines = values.texts("subject_queue_group");
        let subscriptions = collect("subject_queue_group", lines, &mut mistakes, subscription);
        let owned = |name| values.text(name).map(str::to_owned);
        let tls = Tls {
            always: values.number("tls") == 1,
            ca_file: owned("tls_ca_file"),
            cert_file: owned("tls_cert_file"),
            key_file: owned("tls_key_file"),
            hostname: owned("tls_expected_hostname"),
        };
        check_tls(&tls, &servers, &mut mistakes);
        for name in ["tls_ca_file", "tls_cert_file", "tls_key_file"] {
            let file = values.text(name).unwrap_or_default();
            if let Some(Err(error)) = values.text(name).map(std::fs::File::open) {
                mistakes.push(format!("{name} = \"{file}\": {error}"));
            }
        }
        if let Some(file) = values.text("credentials_file")
            && let Err(why) = Credentials::read(file)
        {
            mistakes.push(format!("credentials_file = \"{file}\": {why}"));
        }
        let settings = Self {
            common,
            servers,
            subscriptions,
            tls,
            credentials_file: owned("credentials_file"),
            connect_timeout_ms: values.milliseconds("connect_timeout_ms"),
            reconnect_wait_ms_max: values.milliseconds("reconnect_wait_ms_max"),
            ping_interval_ms: values.milliseconds("ping_interval_ms"),
            connection_events,
        };
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(mistakes)
        }
    }

    /// How many event workers there are.
    #[must_use]
    pub fn inboxes(&self) -> usize {
        self.subscriptions.len() + usize::from(self.connection_events)
    }
}

fn collect<T>(
    name: &str,
    texts: &[String],
    mistakes: &mut Vec<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let parsed = texts.iter().filter_map(|text| {
        parse(text)
            .map_err(|why| mistakes.push(format!("{name} = {why}")))
            .ok()
    });
    parsed.collect()
}

fn subscription(text: &str) -> Result<Subscription, String> {
    let Some((subject, queue)) = text.split_once(':') else {
        return Err(format!(
            "\"{text}\": it must be subject:group, there is no colon"
        ));
    };
    subject::check_subscribe(subject.as_bytes())
        .map_err(|why| format!("\"{text}\": the subject {why}"))?;
    subject::check_queue(queue.as_bytes()).map_err(|why| format!("\"{text}\": the group {why}"))?;
    Ok(Subscription {
        subject: subject.to_owned(),
        queue: queue.to_owned(),
    })
}

fn check_tls(tls: &Tls, servers: &[Server], mistakes: &mut Vec<String>) {
    if tls.always && tls.ca_file.is_none() {
        mistakes.push("tls = 1: tls_ca_file is missing".to_owned());
    }
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        mistakes.push("tls_cert_file and tls_key_file: one needs the other".to_owned());
    }
    let used = tls.always || servers.iter().any(|server| server.tls);
    let files = [&tls.ca_file, &tls.cert_file, &tls.key_file, &tls.hostname];
    if !used && files.iter().any(|file| file.is_some()) {
        let what = "tls_ca_file, tls_cert_file, tls_key_file, tls_expected_hostname";
        mistakes.push(format!("{what}: they need tls = 1 or a tls:// address"));
    }
}
