//! Presence from messages: the rows that the shim writes.

use super::guard::guard;
use super::kazoo::{NAME, known};
use super::kazoo_json;
use super::slice::{Slice, write_out};
use crate::host::{Level, log_of};
use crate::kazoo::json::Mistake;
use crate::kazoo::presence::{self, Package, Row, Style};
use std::cell::RefCell;
use std::ffi::c_int;
use std::time::{SystemTime, UNIX_EPOCH};

/// `kazoo_pua_publish`: the message says what it is about.
pub const SIPBUS_KAZOO_BY_PACKAGE: u32 = 0;
/// `kazoo_pua_publish_mwi`.
pub const SIPBUS_KAZOO_MWI: u32 = 1;
/// `kazoo_pua_publish_presence`.
pub const SIPBUS_KAZOO_PRESENCE: u32 = 2;
/// `kazoo_pua_publish_dialoginfo`.
pub const SIPBUS_KAZOO_DIALOGINFO: u32 = 3;

/// A row of the presentity table. The texts are valid until the next one is asked for.
#[repr(C)]
#[derive(Debug)]
pub struct KazooRow {
    /// First key.
    pub event: Slice,
    /// Second key.
    pub domain: Slice,
    /// Third key.
    pub username: Slice,
    /// Fourth key.
    pub etag: Slice,
    /// Who said it.
    pub sender: Slice,
    /// The document.
    pub body: Slice,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// How many keys, from the last one, do not matter when older rows are removed; 0: this row
    /// replaces the one with the same keys.
    pub reset: u32,
}

thread_local! {
    static ROW: RefCell<Option<Row>> = const { RefCell::new(None) };
}

/// The row for the message `json`: 1 with it in `out`; 0 if the message is about something else; -1,
/// logged, if no row can be made of it. `kind` is one of the constants above.
/// Phase: any process. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn sipbus_kazoo_presence(kind: u32, json: Slice, out: *mut KazooRow) -> c_int {
    guard("sipbus_kazoo_presence", -1, || {
        let Some(known) = known() else { return -1 };
        let style = Style {
            include_entity: known.settings.presence.include_entity,
            full_entity: known.settings.presence.full_entity,
        };
        let row = kazoo_json::look(json, |message, _| {
            if message.object().is_none() {
                return Some(Err(Mistake::NotAnObject.to_string()));
            }
            let package = match kind {
                SIPBUS_KAZOO_MWI => Some(Package::MessageSummary),
                SIPBUS_KAZOO_PRESENCE => Some(Package::Presence),
                SIPBUS_KAZOO_DIALOGINFO => Some(Package::Dialog),
                _ => presence::package(message),
            };
            package.map(|package| presence::row(message, package, style, now()))
        });
        match row {
            None => -1,
            Some(None) => 0,
            Some(Some(Err(why))) => {
                log_of(NAME, Level::Error, &format!("kazoo_pua_publish: {why}"));
                -1
            }
            Some(Some(Ok(row))) => ROW.with_borrow_mut(|place| {
                let row = place.insert(row);
                if write_out(out, KazooRow::of(row)) {
                    1
                } else {
                    -1
                }
            }),
        }
    })
}

impl KazooRow {
    fn of(row: &Row) -> Self {
        Self {
            event: Slice::of(row.event.as_bytes()),
            domain: Slice::of(&row.domain),
            username: Slice::of(&row.username),
            etag: Slice::of(&row.etag),
            sender: Slice::of(&row.sender),
            body: Slice::of(&row.body),
            expires: row.expires,
            reset: u32::from(row.reset),
        }
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}
