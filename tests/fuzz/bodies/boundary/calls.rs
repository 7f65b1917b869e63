//! Calls with their texts out of an input, and what they answer with.

use sipbus::abi::Slice;
use std::ffi::CString;

/// More than any limit in the stand's settings.
pub(super) const LARGE: usize = 100_000;

/// Reads calls from the input.
pub(super) struct Calls<'a> {
    rest: &'a [u8],
}

/// A text for a call, in memory of exactly its size.
pub(super) struct Text(Option<Box<[u8]>>);

impl Text {
    pub(super) fn slice(&self) -> Slice {
        let bytes = self.0.as_deref();
        Slice {
            bytes: bytes.map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast()),
            len: bytes.map_or(0, <[u8]>::len),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Up to its first NUL, as C reads it.
    pub(super) fn c_string(&self) -> CString {
        let until = self.bytes().split(|byte| *byte == 0).next();
        CString::new(until.unwrap_or_default()).unwrap()
    }
}

impl<'a> Calls<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next byte; 0 behind the end.
    pub(super) fn number(&mut self) -> u8 {
        self.byte().unwrap_or(0)
    }

    /// A byte that says how long, then the text; NULL and large ones too.
    pub(super) fn text(&mut self) -> Text {
        let bytes = match self.number() {
            255 => return Text(None),
            254 => vec![b'a'; LARGE],
            253 => vec![b'b'; 256],
            252 => std::mem::take(&mut self.rest).to_vec(),
            len => {
                let (text, rest) = self.rest.split_at(self.rest.len().min(len.into()));
                self.rest = rest;
                text.to_vec()
            }
        };
        Text(Some(bytes.into()))
    }

    pub(super) fn texts<const N: usize>(&mut self) -> [Text; N] {
        std::array::from_fn(|_| self.text())
    }

    /// One of `known`, or a text of the input's own.
    pub(super) fn one_of(&mut self, known: &[&str]) -> Text {
        let which = usize::from(self.number());
        match known.get(which) {
            Some(text) => Text(Some(text.as_bytes().into())),
            None => self.text(),
        }
    }
}

/// What a call answered with.
pub(super) fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.bytes.is_null() {
        assert_eq!(slice.len, 0);
        return &[];
    }
    // SAFETY: the library's answers are readable until the next call.
    unsafe { std::slice::from_raw_parts(slice.bytes.cast(), slice.len) }
}

/// As [`bytes`], of an answer behind which a NUL is promised.
pub(super) fn text<'a>(slice: Slice) -> &'a [u8] {
    let longer = Slice {
        bytes: slice.bytes,
        len: slice.len + 1,
    };
    assert_eq!(bytes(longer).last(), Some(&0));
    bytes(slice)
}
