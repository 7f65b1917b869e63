//! Finds where the plain part of a text ends.

/// So many bytes are looked at in one go, which the compiler does with vectors: it cannot where the
/// search may stop at any byte. Escapes are rare in what is sent, and texts are long.
const CHUNK: usize = 16;

/// Bytes before the first one for which `ends` is true; all if there is none. `ends` joins its
/// comparisons with `|`: with `||` and `matches!` the compiler used no vectors, but a table.
pub(super) fn plain_len(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK>();
    let is_plain = |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |any, byte| any | ends(*byte));
    let plain = chunks.iter().take_while(is_plain).count() * CHUNK;
    let rest = text.get(plain..).unwrap_or_default();
    let more = rest.iter().position(|byte| ends(*byte));
    plain + more.unwrap_or(rest.len())
}
