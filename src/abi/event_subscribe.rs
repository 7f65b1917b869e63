//! Subscribing to events, and who has subscribed.

use super::check;
use super::event_kafka;
use super::event_table::{self, Tables, check_module};
use super::guard::guard;
use super::slice::{Slice, reference};
use crate::clock::monotonic_seconds as now;
use crate::events::name;
use crate::events::socket::Socket;
use crate::events::subscription::Subscription;
use crate::host::raw::sipbus_report;
use crate::host::report::Report;
use crate::host::{Level, log_of};
use crate::kafka::settings::Settings;
use crate::shm::registry::{Entry, Expiry, Refusal, count};
use std::cell::RefCell;
use std::ffi::c_int;

thread_local! {
    /// Events that the configuration names, as long as there is no table.
    static NAMED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Sockets that the configuration names.
    static SOCKETS: RefCell<Vec<Socket>> = const { RefCell::new(Vec::new()) };
}

/// Notes an event that the configuration names: 0, or -1 with the reason logged.
/// Phase: fixups, after mod_init. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_known(event: Slice) -> c_int {
    guard("sipbus_event_known", -1, || {
        match name::check(event.get()) {
            Ok(name) => {
                NAMED.with_borrow_mut(|named| named.push(name.to_owned()));
                0
            }
            Err(why) => {
                let shown = event_kafka::shown(event.get());
                fault(&format!("the event \"{shown}\" {why}"));
                -1
            }
        }
    })
}

/// Checks a socket that the configuration names: 0, or -1 with the reason logged.
/// Phase: fixups, after mod_init. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_socket_known(socket: Slice) -> c_int {
    guard("sipbus_event_socket_known", -1, || {
        match usable(socket.get()) {
            Ok(socket) => {
                SOCKETS.with_borrow_mut(|sockets| sockets.push(socket));
                0
            }
            Err(why) => {
                fault(&format!("subscribe_event: {why}"));
                -1
            }
        }
    })
}

/// Makes the tables of events, and subscribes what the configuration says. 0, or -1 with the reason
/// logged. Further calls do nothing.
/// Phase: child_init(PROC_INIT), after sipbus_create. Blocks while the engine's program checks
/// properties of Kafka's.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_events_create() -> c_int {
    guard("sipbus_events_create", -1, || {
        if event_table::get().is_some() {
            return 0;
        }
        let Some(settings) = event_kafka::settings() else {
            return -1;
        };
        let tables = match event_table::create(settings.subscriptions_max) {
            Ok(tables) => tables,
            Err(error) => {
                fault(&format!("the tables of events cannot be made: {error}"));
                return -1;
            }
        };
        for name in NAMED.take() {
            tables.name(&name);
        }
        let mut mistakes = check_properties(settings, SOCKETS.take());
        for line in &settings.subscriptions {
            mistakes.extend(subscribe_at_start(tables, line).err());
        }
        for mistake in &mistakes {
            fault(&format!("events: {mistake}"));
        }
        if mistakes.is_empty() { 0 } else { -1 }
    })
}

fn fault(why: &str) {
    log_of(event_kafka::NAME, Level::Error, why);
}

fn subscribe_at_start(tables: &Tables, line: &str) -> Result<(), String> {
    let Subscription { event, socket } = Subscription::parse(line)?;
    check_module(&socket)?;
    tables.name(&event);
    let (event, socket) = (event.as_bytes(), socket.text());
    subscribe(tables, event, socket.as_bytes(), Expiry::NEVER)
}

/// What the Kafka library has against the properties of `sockets`.
fn check_properties(settings: &Settings, sockets: Vec<Socket>) -> Vec<String> {
    let kafka = sockets.into_iter().filter_map(|socket| match socket {
        Socket::Kafka { parsed, .. } => Some(*parsed),
        _ => None,
    });
    let asked = Settings {
        sockets: kafka.collect(),
        ..settings.clone()
    };
    if asked.sockets.is_empty() {
        return Vec::new();
    }
    let checked = check::settings(event_kafka::NAME, &asked);
    checked.err().unwrap_or_default()
}

/// `subscribe_event(event, socket[, expire])`: 1, or -1 with the reason logged. `expire` is in seconds;
/// 0 ends the subscription, below 0 it has no end.
/// Phase: any process, after sipbus_events_create. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn subscribe_event(event: Slice, socket: Slice, expire: i64) -> c_int {
    guard("subscribe_event", -1, || {
        match change(event.get(), socket.get(), expire) {
            Ok(()) => 1,
            Err(why) => {
                fault(&format!("subscribe_event: {why}"));
                -1
            }
        }
    })
}

fn change(event: &[u8], socket: &[u8], expire: i64) -> Result<(), String> {
    let shown = event_kafka::shown(event);
    let name = name::check(event).map_err(|why| format!("the event \"{shown}\" {why}"))?;
    let tables = event_table::get().ok_or("it is too early, before the processes start")?;
    let socket = socket.trim_ascii();
    if expire == 0 {
        // What is not there is no mistake: it is as it was wanted.
        tables.subscriptions.unsubscribe(event, socket, now());
        return Ok(());
    }
    usable(socket)?;
    tables.name(name);
    let expiry = match u64::try_from(expire) {
        Ok(seconds) => Expiry {
            at: now().saturating_add(seconds),
            seconds,
        },
        Err(_) => Expiry::NEVER,
    };
    subscribe(tables, event, socket, expiry)
}

fn subscribe(tables: &Tables, event: &[u8], socket: &[u8], expiry: Expiry) -> Result<(), String> {
    let taken = tables.subscriptions.subscribe(event, socket, expiry, now());
    taken.map(|_| ()).map_err(|refusal| match refusal {
        Refusal::Full => "there are event_subscriptions_max subscriptions already".to_owned(),
        Refusal::TooLong => "the event or the socket is too long".to_owned(),
    })
}

/// The socket, if events can be sent to it here.
fn usable(socket: &[u8]) -> Result<Socket, String> {
    let text = std::str::from_utf8(socket).map_err(|_| "the socket is not UTF-8".to_owned())?;
    let socket = Socket::parse(text)?;
    check_module(&socket)?;
    Ok(socket)
}

/// 1 if there is an event of that name and, unless it is empty, a subscription of that socket; 0 if
/// there is no such event, -1 if there is no such subscription.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_event_exists(event: Slice, socket: Slice) -> c_int {
    guard("sipbus_event_exists", 0, || {
        let Some(tables) = event_table::get() else {
            return 0;
        };
        let (event, socket) = (event.get(), socket.get().trim_ascii());
        if tables.events.place(event, b"", 0).is_none() {
            0
        } else if socket.is_empty() {
            1
        } else {
            let found = tables.subscriptions.place(event, socket, now());
            if found.is_some() { 1 } else { -1 }
        }
    })
}

/// Writes all events that were named. 0, or -1 before sipbus_events_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_events_list(report: *const sipbus_report) -> c_int {
    guard("sipbus_events_list", -1, || {
        let Some((report, tables)) = reference(report).zip(event_table::get()) else {
            return -1;
        };
        Report::new(report).list(c"Events", |report| {
            for (id, event) in tables.events.entries(0).iter().enumerate() {
                report.structure(c"", |report| {
                    head(report, id, event);
                    let [raised, _] = event.counts;
                    report.number(c"raised", raised);
                });
            }
        });
        0
    })
}

fn head(report: &Report<'_>, id: usize, event: &Entry) {
    report.text(c"name", &String::from_utf8_lossy(&event.event));
    report.number(c"id", id as u64);
}

/// Writes who has subscribed: to every event, or to one, or only the subscription of that socket;
/// empty for all. 0, or -1 before sipbus_events_create.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_subscribers_list(
    event: Slice,
    socket: Slice,
    report: *const sipbus_report,
) -> c_int {
    guard("sipbus_subscribers_list", -1, || {
        let Some((report, tables)) = reference(report).zip(event_table::get()) else {
            return -1;
        };
        let report = Report::new(report);
        let (wanted, socket) = (event.get(), socket.get().trim_ascii());
        let (events, entries) = (
            tables.events.entries(0),
            tables.subscriptions.entries(now()),
        );
        let of = |event: &Entry| -> Vec<&Entry> {
            let own = entries.iter().filter(|entry| entry.event == event.event);
            own.filter(|entry| socket.is_empty() || entry.socket == socket)
                .collect()
        };
        let mut numbered = events.iter().enumerate();
        if wanted.is_empty() {
            report.list(c"Events", |report| {
                for (id, event) in numbered.filter(|(_, event)| !of(event).is_empty()) {
                    report.structure(c"", |report| all(report, id, event, &of(event)));
                }
            });
        } else if let Some((id, event)) = numbered.find(|(_, event)| event.event == wanted) {
            report.structure(c"Event", |report| match of(event).first() {
                Some(one) if !socket.is_empty() => {
                    head(report, id, event);
                    report.structure(c"Subscriber", |report| subscriber(report, one));
                }
                _ => all(report, id, event, &of(event)),
            });
        }
        0
    })
}

fn all(report: &Report<'_>, id: usize, event: &Entry, subscribers: &[&Entry]) {
    head(report, id, event);
    report.list(c"Subscribers", |report| {
        for one in subscribers {
            report.structure(c"", |report| subscriber(report, one));
        }
    });
}

fn subscriber(report: &Report<'_>, entry: &Entry) {
    let text = String::from_utf8_lossy(&entry.socket);
    let shown = Socket::parse(&text).map_or_else(|_| String::new(), |socket| socket.to_string());
    report.text(c"socket", &shown);
    if entry.expiry.at == 0 {
        report.text(c"expire", "never");
        report.text(c"ttl", "never");
    } else {
        report.number(c"expire", entry.expiry.seconds);
        report.number(c"ttl", entry.expiry.at.saturating_sub(now()));
    }
    for (name, slot) in [(c"sent", count::SENT), (c"refused", count::REFUSED)] {
        report.number(name, entry.counts.get(slot).copied().unwrap_or(0));
    }
}
