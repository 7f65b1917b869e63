//! What crosses a lane or an inbox: a kind and a few byte fields. No I/O, no copies.
//!
//! ```text
//!  kind: u16 | fields: u16 | length: u32 x fields | the fields' bytes
//! ```

pub mod evapi;
pub mod kafka;
pub mod kazoo;
pub mod nats;

/// The most fields a frame has.
pub const FIELDS_MAX: usize = 6;

const PREFIX_BYTES: usize = 4;

/// The bytes in front of the fields.
#[derive(Debug)]
pub struct Header {
    bytes: [u8; PREFIX_BYTES + 4 * FIELDS_MAX],
    len: usize,
}

/// A field is over 4 GiB, or there are too many.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Header {
    /// The header of a frame of `kind` with `fields`; the fields themselves follow it.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn of(kind: u16, fields: &[&[u8]]) -> Result<Self, TooLong> {
        let count = u16::try_from(fields.len()).map_err(|_| TooLong)?;
        let mut bytes = [0; PREFIX_BYTES + 4 * FIELDS_MAX];
        let (prefix, lengths) = bytes.split_at_mut(PREFIX_BYTES);
        let ([kind_a, kind_b], [count_a, count_b]) = (kind.to_ne_bytes(), count.to_ne_bytes());
        prefix.copy_from_slice(&[kind_a, kind_b, count_a, count_b]);
        if fields.len() > FIELDS_MAX {
            return Err(TooLong);
        }
        for (slot, field) in lengths.chunks_exact_mut(4).zip(fields) {
            let len = u32::try_from(field.len()).map_err(|_| TooLong)?;
            slot.copy_from_slice(&len.to_ne_bytes());
        }
        Ok(Self {
            bytes,
            len: PREFIX_BYTES + 4 * fields.len(),
        })
    }

    /// The header's bytes, to be written in front of the fields.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What an inbox ends with when the engine has ended for good. No module has a frame of this kind.
pub const END: [u8; PREFIX_BYTES] = [0; PREFIX_BYTES];

/// Bytes a frame with `fields` fields adds to them.
#[must_use]
pub const fn overhead(fields: usize) -> usize {
    PREFIX_BYTES + 4 * fields
}

/// A frame taken from a ring.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// What it is; each module has its own kinds.
    pub kind: u16,
    fields: [&'a [u8]; FIELDS_MAX],
    count: usize,
}

impl<'a> Frame<'a> {
    /// Reads a frame, checking every length. None if it is not sound.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
        let [kind_a, kind_b, count_a, count_b] = *prefix;
        let kind = u16::from_ne_bytes([kind_a, kind_b]);
        let count = usize::from(u16::from_ne_bytes([count_a, count_b]));
        let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(4)?)?;
        let mut fields = [&[][..]; FIELDS_MAX];
        if count > FIELDS_MAX {
            return None;
        }
        for (field, len) in fields.iter_mut().zip(lengths.chunks_exact(4)) {
            let len = u32::from_ne_bytes(len.try_into().ok()?);
            (*field, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        }
        rest.is_empty().then_some(Self {
            kind,
            fields,
            count,
        })
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &[&'a [u8]] {
        self.fields.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
