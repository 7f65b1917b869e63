//! Subjects, wildcards and headers of NATS.

use sipbus::nats::{header, route, subject};

/// A route's name is always one that Kamailio's grammar takes.
pub(crate) fn subject(input: &[u8]) {
    let (pattern, rest) = input.split_at(
        input
            .iter()
            .position(|b| *b == b'\n')
            .unwrap_or(input.len()),
    );
    _ = subject::check_publish(pattern);
    _ = subject::check_queue(rest);
    if subject::check_subscribe(pattern).is_ok() {
        for name in route::candidates(rest, pattern) {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b)),
                "{name}"
            );
        }
    }
    _ = header::find(rest, pattern);
}
