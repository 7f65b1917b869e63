//! The settings of the evapi module.

use super::address::{self, Address};
use crate::config::{ANY, COMMON, Common, FLAG, Given, Kind, Setting, TEXT, Values, check, row};
use serde::{Deserialize, Serialize};

const DEFAULT_ADDRESS: &str = "127.0.0.1:8448";
const DEFAULT_MODE: &str = "0660";

/// The longest secret.
pub const SECRET_BYTES_MAX: usize = 4096;

/// Bytes kept in an inbox for what an event adds to its message: address, tag, numbers.
const ENVELOPE_BYTES: usize = 1024;

/// The module's own rows; [`COMMON`] are the others.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row("workers", Kind::Number { min: 0, max: 256 }, "1", "",
        "Processes that run the event routes. 0 means one, too: there is no dispatcher process."),
    row("bind_addr", Kind::Texts, DEFAULT_ADDRESS, "",
        "Where clients connect to: host:port, [IPv6]:port or unix:/path; with tls: in front, clients of that TCP address speak TLS. Each line is one more address."),
    row("netstring_format", FLAG, "1", "",
        "1: messages are netstrings in both directions. 0: bare bytes; each read is a message."),
    row("event_callback", TEXT, "", "",
        "Name of the KEMI function that is called for events without an event route."),
    row("max_clients", Kind::Number { min: 1, max: 1024 }, "8", "",
        "The most clients at a time. One more is closed at once."),
    row("wait_idle", ANY, "500000", "microseconds",
        "Accepted for compatibility, without effect: workers wake up by themselves."),
    row("wait_increase", ANY, "3", "",
        "Accepted for compatibility, without effect, see wait_idle."),
    row("send_task_timeout", ANY, "0", "microseconds",
        "Accepted for compatibility, without effect: no process waits for a client."),
    row("send_data_timeout", ANY, "0", "microseconds",
        "Accepted for compatibility, without effect, see client_buffer_size."),
    row("context_mlimit", ANY, "0", "",
        "Accepted for compatibility, without effect, see client_buffer_size."),
    row("client_buffer_size", Kind::Number { min: 4096, max: 1 << 32 }, "16777216", "bytes",
        "How much may wait for one client that reads too slowly."),
    row("client_full_policy", TEXT, "close", "",
        "What happens when client_buffer_size is reached: close ends that client's connection, drop leaves out its newest messages until there is room."),
    row("frame_size_max", Kind::Number { min: 1, max: 1 << 29 }, "1048576", "bytes",
        "Longest message that a client may send. A netstring that announces more ends its connection. It must fit into inbox_size."),
    row("spread_messages", FLAG, "0", "",
        "0: the messages of one client are handled by one worker, in order. 1: they go to all workers in turn, without order."),
    row("busy_poll", Kind::Number { min: 0, max: 1000 }, "250", "microseconds",
        "How long an idle worker looks for the next message before it sleeps, while messages come one by one and closer together than that. 0: it sleeps at once."),
    row("unix_socket_mode", TEXT, DEFAULT_MODE, "",
        "Permissions of the UNIX sockets, in octal."),
    row("unix_socket_owner", TEXT, "", "",
        "Owner of the UNIX sockets, as user, user:group or :group; names of the local user database, or numbers."),
    row("tls_cert_file", TEXT, "", "",
        "File with the certificate chain (PEM) for the tls: addresses. Needs tls_key_file."),
    row("tls_key_file", TEXT, "", "",
        "File with the key (PEM) of tls_cert_file."),
    row("tls_ca_file", TEXT, "", "",
        "File with certificates (PEM). With it, clients of tls: addresses must show a certificate that comes from one of these."),
    row("shared_secret", TEXT, "", "",
        "What the first message of each client must be. It is not handed to the script."),
    row("login_timeout_ms", Kind::Number { min: 10, max: 600_000 }, "5000", "milliseconds",
        "How long a client may take for TLS and shared_secret."),
];

/// What happens to a client that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FullPolicy {
    /// Its connection ends.
    Close,
    /// The newest frames are left out.
    Drop,
}

/// TLS files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificate chain.
    pub cert_file: String,
    /// Its key.
    pub key_file: String,
    /// What clients' certificates must come from, if they must have one.
    pub ca_file: Option<String>,
}

/// Everything the connector needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What all modules have.
    pub common: Common,
    /// Where to listen, never empty.
    pub bind: Vec<Address>,
    /// Event workers, at least one.
    pub workers: usize,
    /// Netstrings, not bare bytes.
    pub netstrings: bool,
    /// The most clients.
    pub clients_max: usize,
    /// Bytes that may wait for one client.
    pub client_buffer_bytes: usize,
    /// What happens then.
    pub full_policy: FullPolicy,
    /// Longest message from a client.
    pub frame_bytes_max: usize,
    /// Messages of one client go to all workers.
    pub spread: bool,
    /// How long an idle worker looks before it sleeps, in microseconds.
    pub busy_poll_us: u64,
    /// Permissions of UNIX sockets.
    pub unix_mode: u32,
    /// User and group of UNIX sockets.
    pub unix_owner: (Option<u32>, Option<u32>),
    /// For `tls:` addresses.
    pub tls: Option<Tls>,
    /// The first message of each client.
    pub secret: Option<String>,
    /// Limit of TLS and secret.
    pub login_timeout_ms: u64,
    /// Someone handles connection-new: clients wait for its end.
    pub new_events: bool,
}

impl Settings {
    /// Checks what was given. Files are only opened, to see that they can be read.
    ///
    /// # Errors
    /// Every mistake, as a sentence without secrets.
    pub fn from_given(given: &Given, new_events: bool) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let values = check(&[COMMON, SETTINGS], given, &mut mistakes);
        let common = Common::from_values(&values, &mut mistakes);
        let secret = secret(given, &values, &mut mistakes);
        let bind = addresses(&values, &mut mistakes);
        let tls = tls(&values, &bind, &mut mistakes);
        let frame_bytes_max = values.size("frame_size_max");
        if frame_bytes_max + ENVELOPE_BYTES > common.inbox_bytes {
            mistakes.push(format!(
                "frame_size_max = {frame_bytes_max}: a message of that size does not fit into inbox_size = {}",
                common.inbox_bytes
            ));
        }
        let settings = Self {
            common,
            bind,
            workers: values.size("workers").max(1),
            netstrings: values.number("netstring_format") == 1,
            clients_max: values.size("max_clients"),
            client_buffer_bytes: values.size("client_buffer_size"),
            full_policy: full_policy(&values, &mut mistakes),
            frame_bytes_max,
            spread: values.number("spread_messages") == 1,
            busy_poll_us: u64::try_from(values.number("busy_poll")).unwrap_or(0),
            unix_mode: unix_mode(&values, &mut mistakes),
            unix_owner: unix_owner(&values, &mut mistakes),
            tls,
            secret,
            login_timeout_ms: values.milliseconds("login_timeout_ms"),
            new_events,
        };
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(mistakes)
        }
    }
}

/// The login, which an empty text must not switch off.
fn secret(given: &Given, values: &Values, mistakes: &mut Vec<String>) -> Option<String> {
    let text = values.text("shared_secret");
    let is_given = given.iter().any(|(name, _)| name == "shared_secret");
    if is_given && text.is_none_or(str::is_empty) {
        mistakes.push("shared_secret: it is empty; without a login it is left out".to_owned());
    }
    if text.is_some_and(|text| text.len() > SECRET_BYTES_MAX) {
        mistakes.push(format!(
            "shared_secret: it is longer than {SECRET_BYTES_MAX} bytes"
        ));
    }
    text.map(str::to_owned)
}

fn addresses(values: &Values, mistakes: &mut Vec<String>) -> Vec<Address> {
    let default = [DEFAULT_ADDRESS.to_owned()];
    let lines = Some(values.texts("bind_addr")).filter(|lines| !lines.is_empty());
    let mut found = Vec::new();
    for line in lines.unwrap_or(&default) {
        match address::parse(line) {
            // The same line may come from several files.
            Ok(address) if found.contains(&address) => {}
            Ok(address) => found.push(address),
            Err(why) => mistakes.push(format!("bind_addr = {why}")),
        }
    }
    found
}

fn full_policy(values: &Values, mistakes: &mut Vec<String>) -> FullPolicy {
    match values.text("client_full_policy") {
        None | Some("close") => FullPolicy::Close,
        Some("drop") => FullPolicy::Drop,
        Some(other) => {
            mistakes.push(format!(
                "client_full_policy = \"{other}\": it must be close or drop"
            ));
            FullPolicy::Close
        }
    }
}

fn tls(values: &Values, bind: &[Address], mistakes: &mut Vec<String>) -> Option<Tls> {
    let names = ["tls_cert_file", "tls_key_file", "tls_ca_file"];
    for name in names {
        let Some(file) = values.text(name) else {
            continue;
        };
        if let Err(error) = std::fs::File::open(file) {
            mistakes.push(format!("{name} = \"{file}\": {error}"));
        }
    }
    let [cert, key, ca] = names.map(|name| values.text(name).map(str::to_owned));
    let wanted = bind.iter().any(Address::is_tls);
    let given = cert.is_some() || key.is_some() || ca.is_some();
    match (wanted, cert, key) {
        (true, Some(cert_file), Some(key_file)) => Some(Tls {
            cert_file,
            key_file,
            ca_file: ca,
        }),
        (true, ..) => {
            mistakes.push("bind_addr with tls: needs tls_cert_file and tls_key_file".to_owned());
            None
        }
        (false, ..) => {
            // Not with addresses that could not be read: one of them may have been the one.
            if given && !bind.is_empty() {
                mistakes.push(format!(
                    "{}: they need a bind_addr that begins with tls:",
                    names.join(", ")
                ));
            }
            None
        }
    }
}

fn unix_mode(values: &Values, mistakes: &mut Vec<String>) -> u32 {
    let text = values.text("unix_socket_mode").unwrap_or(DEFAULT_MODE);
    match u32::from_str_radix(text, 8) {
        Ok(mode @ ..=0o777) => mode,
        _ => {
            mistakes.push(format!(
                "unix_socket_mode = \"{text}\": it must be an octal number up to 0777"
            ));
            0
        }
    }
}

fn unix_owner(values: &Values, mistakes: &mut Vec<String>) -> (Option<u32>, Option<u32>) {
    let text = values.text("unix_socket_owner").unwrap_or_default();
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let mut id = |name: &str, file: &str| {
        if name.is_empty() {
            return None;
        }
        let found = number_of(name, file);
        if found.is_none() {
            mistakes.push(format!(
                "unix_socket_owner = \"{text}\": {file} does not know {name}"
            ));
        }
        found
    };
    (id(user, "/etc/passwd"), id(group, "/etc/group"))
}

/// The number of a user or group: third field of its line.
fn number_of(name: &str, file: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let text = std::fs::read_to_string(file).ok()?;
    let mut lines = text.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut line| (line.next() == Some(name)).then_some(line))?;
    fields.nth(1)?.parse().ok()
}
