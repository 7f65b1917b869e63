//! The settings every module has.

use super::setting::{Kind, Setting, Values};
use crate::shm::layout::ring_bytes;
use crate::shm::ring::FRAME_HEADER_BYTES;
use serde::{Deserialize, Serialize};

/// Bytes kept for what a message adds to its payload in a lane or an inbox: subject, headers, keys.
const ENVELOPE_BYTES: usize = 16 * 1024;

/// The rows that every module's table begins with.
pub const COMMON: &[Setting] = &[
    Setting {
        name: "queue_size",
        kind: Kind::Number {
            min: 65_536,
            max: 1 << 30,
        },
        default: "2097152",
        unit: "bytes",
        doc: "Size of the queue that each Kamailio process has towards the engine, rounded up to a power of two. Its pages are touched only as they are used.",
    },
    Setting {
        name: "message_size_max",
        kind: Kind::Number {
            min: 1,
            max: 1 << 29,
        },
        default: "1048576",
        unit: "bytes",
        doc: "Largest payload that is accepted for publishing. It must fit into queue_size.",
    },
    Setting {
        name: "queue_full_wait_ms",
        kind: Kind::Number {
            min: 0,
            max: 10_000,
        },
        default: "20",
        unit: "milliseconds",
        doc: "How long a call waits for room in a full queue while the engine is draining it. Where nothing was drained since the last such wait, a call does not wait.",
    },
    Setting {
        name: "drain_timeout_ms",
        kind: Kind::Number {
            min: 0,
            max: 50_000,
        },
        default: "5000",
        unit: "milliseconds",
        doc: "How long a stopping Kamailio waits for accepted messages to be delivered.",
    },
    Setting {
        name: "inbox_size",
        kind: Kind::Number {
            min: 65_536,
            max: 1 << 30,
        },
        default: "2097152",
        unit: "bytes",
        doc: "Size of the queue in front of each event worker, rounded up to a power of two. When it is full, reading from the server pauses.",
    },
];

/// The common settings, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// Bytes of each process's lane, as it will be.
    pub queue_bytes: usize,
    /// Largest payload in bytes.
    pub message_bytes_max: usize,
    /// Longest wait for room in a lane.
    pub queue_full_wait_ms: u64,
    /// Longest drain at the end.
    pub drain_timeout_ms: u64,
    /// Bytes of each inbox, as it will be.
    pub inbox_bytes: usize,
}

impl Common {
    /// Reads the common settings; mistakes between them go to `mistakes`.
    pub fn from_values(values: &Values, mistakes: &mut Vec<String>) -> Self {
        let common = Self {
            queue_bytes: ring_bytes(values.size("queue_size")),
            message_bytes_max: values.size("message_size_max"),
            queue_full_wait_ms: values.milliseconds("queue_full_wait_ms"),
            drain_timeout_ms: values.milliseconds("drain_timeout_ms"),
            inbox_bytes: ring_bytes(values.size("inbox_size")),
        };
        let wanted = common.message_bytes_max + ENVELOPE_BYTES + FRAME_HEADER_BYTES;
        if wanted > common.queue_bytes {
            mistakes.push(format!(
                "message_size_max = {}: a message of that size does not fit into queue_size = {}; raise queue_size to {} or lower message_size_max",
                common.message_bytes_max,
                common.queue_bytes,
                ring_bytes(wanted),
            ));
        }
        common
    }
}
