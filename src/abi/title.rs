//! Titles of event workers, as Kamailio's table of processes shows them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char};

thread_local! {
    /// Shims ask several times, and keep what they get.
    static TITLES: RefCell<BTreeMap<String, CString>> = const { RefCell::new(BTreeMap::new()) };
}

/// The title as C reads it, which lives as long as the process; NULL if it cannot be one.
pub(super) fn kept(title: String) -> *const c_char {
    TITLES.with_borrow_mut(|titles| {
        if let Some(title) = titles.get(&title) {
            return title.as_ptr();
        }
        let Ok(text) = CString::new(title.as_str()) else {
            return std::ptr::null();
        };
        // Its bytes stay where they are when it is moved.
        let shown = text.as_ptr();
        titles.insert(title, text);
        shown
    })
}
