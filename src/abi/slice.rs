//! Texts and bytes across the boundary.

use std::ffi::{CStr, c_char};

/// Bytes with a length. NULL with length 0 is empty.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// The first byte.
    pub bytes: *const c_char,
    /// How many.
    pub len: usize,
}

impl Slice {
    /// No bytes.
    pub const EMPTY: Self = Self {
        bytes: std::ptr::null(),
        len: 0,
    };

    /// The bytes, or nothing for NULL.
    pub(super) fn get<'a>(self) -> &'a [u8] {
        if self.bytes.is_null() {
            return &[];
        }
        // SAFETY: H4, a slice the host gives is readable until the call returns.
        unsafe { std::slice::from_raw_parts(self.bytes.cast(), self.len) }
    }

    /// For the host; valid as long as `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }
}

/// A C string, or none for NULL.
pub(super) fn text<'a>(text: *const c_char) -> Option<std::borrow::Cow<'a, str>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: H2, the host's texts end with a NUL.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy())
}

/// A reference to what the host points at, or none for NULL.
pub(super) fn reference<'a, T>(at: *const T) -> Option<&'a T> {
    // SAFETY: H4, what the host points at is valid until the call returns.
    unsafe { at.as_ref() }
}

/// Writes `value` where the host wants it. False for NULL.
pub(super) fn write_out<T>(out: *mut T, value: T) -> bool {
    if out.is_null() {
        return false;
    }
    // SAFETY: H4; not NULL, and the host gave it to be written.
    unsafe { out.write(value) }
    true
}
