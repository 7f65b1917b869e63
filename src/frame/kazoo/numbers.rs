//! How a frame of the module is written: its numbers in a field of their own, its texts behind them.

use crate::frame::{FIELDS_MAX, Header, TooLong};

pub(super) const NUMBERS_BYTES: usize = 32;

/// The numbers of a frame, one after the other, in a field of its own.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    bytes: [u8; NUMBERS_BYTES],
    len: usize,
}

impl Numbers {
    fn add(mut self, bytes: &[u8]) -> Self {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
        self
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.add(&value.to_ne_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.add(&value.to_ne_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.add(&value.to_ne_bytes())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Reads what [`Numbers`] wrote.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }
}

pub(super) fn written<T>(
    kind: u16,
    fields: &[&[u8]],
    write: impl FnOnce(&[&[u8]]) -> T,
) -> Result<T, TooLong> {
    let header = Header::of(kind, fields)?;
    let mut parts = [&[][..]; FIELDS_MAX + 1];
    let mut count = 0;
    let all = std::iter::once(header.bytes()).chain(fields.iter().copied());
    for (part, bytes) in parts.iter_mut().zip(all) {
        *part = bytes;
        count += 1;
    }
    Ok(write(parts.get(..count).unwrap_or_default()))
}
