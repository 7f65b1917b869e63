//! Subjects (docs.nats.io, "Subject-Based Messaging").

/// The longest subject or queue group, in bytes. A server's control line holds 4,096 by default.
pub const SUBJECT_BYTES_MAX: usize = 1024;

/// Checks a subject to publish to.
///
/// # Errors
/// Why it cannot be used, in words that follow "the subject".
pub fn check_publish(subject: &[u8]) -> Result<(), &'static str> {
    check_tokens(subject)?;
    if tokens(subject).any(|token| token == b"*" || token == b">") {
        return Err("has a wildcard");
    }
    Ok(())
}

/// Checks the subject of a subscription, which may have wildcards: `*` as a whole token, `>` as the
/// last one.
///
/// # Errors
/// Why it cannot be used, in words that follow "the subject".
pub fn check_subscribe(subject: &[u8]) -> Result<(), &'static str> {
    check_tokens(subject)?;
    let rest = subject.strip_suffix(b".>").unwrap_or(subject);
    if rest == b">" {
        return Ok(());
    }
    if tokens(rest).any(|token| token.contains(&b'>')) {
        return Err("has a '>' that is not its last token");
    }
    if tokens(rest).any(|token| token.len() > 1 && token.contains(&b'*')) {
        return Err("has a '*' that is not a whole token");
    }
    Ok(())
}

/// Checks the name of a queue group.
///
/// # Errors
/// Why it cannot be used, in words that follow "the group".
pub fn check_queue(queue: &[u8]) -> Result<(), &'static str> {
    check_bytes(queue)
}

/// The tokens between the dots.
pub fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> {
    subject.split(|byte| *byte == b'.')
}

fn check_tokens(subject: &[u8]) -> Result<(), &'static str> {
    check_bytes(subject)?;
    if tokens(subject).any(<[u8]>::is_empty) {
        return Err("begins or ends with a dot or has two in a row");
    }
    Ok(())
}

fn check_bytes(text: &[u8]) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > SUBJECT_BYTES_MAX {
        return Err("is over 1024 bytes long");
    }
    // The server cuts its control line at blanks and line ends.
    if text
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err("has a blank or a control character");
    }
    Ok(())
}
