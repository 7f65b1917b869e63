//! Reports for people and programs, given to the host as structures.

use super::raw::sipbus_report;
use std::ffi::CStr;

/// Where a report is written to.
#[derive(Debug)]
pub struct Report<'a> {
    raw: &'a sipbus_report,
}

impl<'a> Report<'a> {
    /// A report over the host's table.
    #[must_use]
    pub fn new(raw: &'a sipbus_report) -> Self {
        Self { raw }
    }

    /// A structure with what `fill` writes.
    pub fn structure(&self, name: &CStr, fill: impl FnOnce(&Self)) {
        self.nested(name, 0, fill);
    }

    /// A list with what `fill` writes.
    pub fn list(&self, name: &CStr, fill: impl FnOnce(&Self)) {
        self.nested(name, 1, fill);
    }

    /// A text.
    pub fn text(&self, name: &CStr, text: &str) {
        if let Some(write) = self.raw.text {
            // SAFETY: H3, a report's functions may be called until the call that gave it returns.
            unsafe {
                write(
                    self.raw.context,
                    name.as_ptr(),
                    text.as_ptr().cast(),
                    text.len(),
                )
            }
        }
    }

    /// A number.
    pub fn number(&self, name: &CStr, number: u64) {
        if let Some(write) = self.raw.number {
            // SAFETY: H3.
            unsafe { write(self.raw.context, name.as_ptr(), number) }
        }
    }

    fn nested(&self, name: &CStr, is_list: i32, fill: impl FnOnce(&Self)) {
        if let Some(open) = self.raw.open {
            // SAFETY: H3.
            unsafe { open(self.raw.context, name.as_ptr(), is_list) }
        }
        fill(self);
        if let Some(close) = self.raw.close {
            // SAFETY: H3.
            unsafe { close(self.raw.context) }
        }
    }
}
