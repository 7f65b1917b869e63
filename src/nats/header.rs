//! The header block of a message (NATS ADR-4): `NATS/1.0[ status]`, then `Name: value` lines.

/// The first value of header `name` in `block`, blanks around it removed. Names are compared as
/// SIP's are, without regard to case.
#[must_use]
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    block.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (key, value) = line.split_at_checked(colon)?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}
