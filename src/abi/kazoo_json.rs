//! What scripts do with JSON, and the encoding of routing keys. Results lie in buffers of the
//! process and are valid until the next call of the same function.

use super::guard::guard;
use super::kazoo::known;
use super::slice::{Slice, write_out};
use crate::host::{Level, log};
use crate::kazoo::cache::Cache;
use crate::kazoo::json::Value;
use crate::kazoo::{encode, path};
use std::cell::RefCell;
use std::ffi::c_int;

thread_local! {
    static DOCUMENTS: RefCell<Cache> = const { RefCell::new(Cache::new()) };
    /// The value found last, with a NUL behind it.
    static FOUND: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The keys found last, each with a NUL behind it.
    static KEYS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Remembers a document that was read already.
pub(super) fn keep(text: &[u8], value: Value) {
    DOCUMENTS.with_borrow_mut(|documents| documents.keep(text, value));
}

/// `kazoo_json(json, path, ...)`: 1 with the text of the value at `path` in `out`; 0 with nothing in
/// it if there is none; -1, logged, if `json` cannot be read. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_json(json: Slice, path: Slice, out: *mut Slice) -> c_int {
    guard("kazoo_json", -1, || {
        write_out(out, Slice::EMPTY);
        look(json, |value, escape| {
            let Some(found) = path::find(value, path.get(), escape) else {
                return 0;
            };
            FOUND.with_borrow_mut(|buffer| {
                fill(buffer, out, |buffer| {
                    buffer.extend_from_slice(&found.text())
                })
            })
        })
        .unwrap_or(-1)
    })
}

/// `{kz.json.count,path}`: how many elements the list at `path` has; 0 if there is none.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_json_count(json: Slice, path: Slice) -> i32 {
    guard("kazoo_json_count", 0, || {
        let count = look(json, |value, escape| path::count(value, path.get(), escape));
        i32::try_from(count.unwrap_or(0)).unwrap_or(i32::MAX)
    })
}

/// `kazoo_json_keys(json, path, ...)`: how many keys the object at `path` has, for kazoo_json_key;
/// 0 if there is none; -1, logged, if `json` cannot be read. Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_json_keys(json: Slice, path: Slice) -> i32 {
    guard("kazoo_json_keys", -1, || {
        let keys: Option<Vec<_>> = look(json, |value, escape| {
            let keys = path::keys(value, path.get(), escape);
            keys.map(|key| [key, b"\0"].concat()).collect()
        });
        let count = keys
            .as_ref()
            .map_or(-1, |keys| i32::try_from(keys.len()).unwrap_or(i32::MAX));
        KEYS.set(keys.unwrap_or_default());
        count
    })
}

/// Key number `index` of those that kazoo_json_keys found: 1 with it in `out`, or 0 behind the last.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_json_key(index: u32, out: *mut Slice) -> c_int {
    guard("kazoo_json_key", 0, || {
        KEYS.with_borrow(|keys| {
            let key = keys.get(index as usize).and_then(|key| key.split_last());
            key.map_or(0, |(_, key)| c_int::from(write_out(out, Slice::of(key))))
        })
    })
}

/// `kazoo_encode(text, ...)` and `{kz.encode}`: 1 with the encoded text in `out`.
/// Phase: any. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn kazoo_encode(text: Slice, out: *mut Slice) -> c_int {
    guard("kazoo_encode", -1, || {
        ENCODED.with_borrow_mut(|buffer| {
            fill(buffer, out, |buffer| encode::encode(text.get(), buffer))
        })
    })
}

fn fill(buffer: &mut Vec<u8>, out: *mut Slice, write: impl FnOnce(&mut Vec<u8>)) -> c_int {
    buffer.clear();
    write(buffer);
    let len = buffer.len();
    buffer.push(0);
    let bytes = buffer.get(..len).unwrap_or_default();
    c_int::from(write_out(out, Slice::of(bytes)))
}

/// Reads `json` and looks at it; None, logged, if it cannot be read.
pub(super) fn look<T>(json: Slice, look: impl FnOnce(&Value, u8) -> T) -> Option<T> {
    let escape = known().map_or(b'%', |known| known.settings.json_escape);
    DOCUMENTS.with_borrow_mut(|documents| match documents.value(json.get()) {
        Ok(value) => Some(look(value, escape)),
        Err(mistake) => {
            log(Level::Error, &format!("kazoo: {mistake}"));
            None
        }
    })
}
