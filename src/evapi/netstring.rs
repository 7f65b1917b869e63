//! Netstrings, as they come over a stream: `<length>:<bytes>,`.
//!
//! The rule for what is no netstring: it is skipped, the connection stays, and what is skipped does
//! not depend on how the bytes were split into reads.
//!
//! * Blanks, tabs and line ends between frames mean nothing. Empty frames mean nothing either.
//! * A byte that cannot begin a frame is skipped; digits without a colon behind them are, too.
//! * A length with a sign is skipped together with its colon.
//! * A frame without its comma is skipped whole: length, colon, bytes, and what is in the comma's
//!   place.
//! * A length above the limit cannot be skipped in good time: it ends the connection.

/// Takes frames from a stream.
#[derive(Debug)]
pub struct Parser {
    frame_bytes_max: usize,
    /// Inside a length with a sign, up to its colon.
    signed: bool,
}

/// What is at the beginning of the bytes given.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A frame: its bytes lie from `start` to `end`, and `taken` bytes are done with.
    Frame {
        /// First byte of the data.
        start: usize,
        /// Behind the last byte of the data.
        end: usize,
        /// Where the next frame begins.
        taken: usize,
    },
    /// So many bytes that mean nothing.
    Blank(usize),
    /// So many bytes that are no netstring.
    Garbage(usize),
    /// The rest has to come first.
    More,
    /// A length over the limit: nothing sound can follow.
    TooLong,
}

impl Parser {
    /// For frames of up to `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max,
            signed: false,
        }
    }

    /// Looks at the next bytes of the stream.
    pub fn next(&mut self, bytes: &[u8]) -> Found {
        let Some(first) = bytes.first() else {
            return Found::More;
        };
        if self.signed {
            return self.skip_signed(bytes);
        }
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => Found::Blank(run(bytes, is_blank)),
            b'0'..=b'9' => self.frame(bytes),
            b'-' | b'+' => {
                self.signed = true;
                Found::Garbage(1)
            }
            _ => Found::Garbage(run(bytes, |byte| {
                !is_blank(byte) && !byte.is_ascii_digit() && !matches!(byte, b'-' | b'+')
            })),
        }
    }

    fn skip_signed(&mut self, bytes: &[u8]) -> Found {
        let digits = run(bytes, |byte| byte.is_ascii_digit());
        let end = match bytes.get(digits) {
            None => return Found::Garbage(digits),
            Some(b':') => digits + 1,
            Some(_) => digits,
        };
        self.signed = false;
        if end == 0 {
            // The sign stood alone.
            return self.next(bytes);
        }
        Found::Garbage(end)
    }

    fn frame(&self, bytes: &[u8]) -> Found {
        let mut len: usize = 0;
        let mut digits = 0;
        for byte in bytes.iter().take_while(|byte| byte.is_ascii_digit()) {
            // At most 10 times the limit plus 9: no overflow, limits are far below.
            len = len * 10 + usize::from(byte - b'0');
            digits += 1;
            if len > self.frame_bytes_max || digits > DIGITS_MAX {
                return Found::TooLong;
            }
        }
        match bytes.get(digits) {
            None => return Found::More,
            Some(b':') => {}
            Some(_) => return Found::Garbage(digits),
        }
        let start = digits + 1;
        let end = start + len;
        match bytes.get(end) {
            None => Found::More,
            Some(b',') if len == 0 => Found::Blank(end + 1),
            Some(b',') => Found::Frame {
                start,
                end,
                taken: end + 1,
            },
            Some(_) => Found::Garbage(end + 1),
        }
    }
}

/// The most digits of a length, leading zeroes included.
const DIGITS_MAX: usize = 64;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn run(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_part(**byte)).count()
}

/// What comes in front of `len` bytes of data, written into `into`; a comma comes behind them.
pub fn put_length(into: &mut Vec<u8>, len: usize) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), len);
    loop {
        at -= 1;
        if let (Some(digit), Ok(value)) = (digits.get_mut(at), u8::try_from(rest % 10)) {
            *digit = b'0' + value;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    into.extend_from_slice(digits.get(at..).unwrap_or_default());
    into.push(b':');
}
