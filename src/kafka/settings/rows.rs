//! The parameters: type, default, unit, and what each is for.

use crate::config::{FLAG, Kind, Setting, TEXT, row};

/// The rows of event_kafka; [`COMMON`](crate::config::COMMON) are the others.
#[rustfmt::skip]
pub const EVENT_KAFKA: &[Setting] = &[
    row("broker_id", Kind::Texts, "", "",
        "A cluster that messages can be published to, as [ID]brokers/topic?properties. Each line has an ID of its own."),
    row("consume", Kind::Texts, "", "",
        "Topics whose records run event routes, as brokers=host:port,...;group=G;topics=a,b;workers=N;g.property=value;t.property=value."),
    row("report_workers", Kind::Number { min: 0, max: 64 }, "1", "",
        "How many processes run report routes. 0: there are none, and a report route is refused."),
    row("event_callback", TEXT, "", "",
        "Name of the KEMI function that is called for records without an event route."),
    row("event_subscription", Kind::Texts, "", "",
        "A subscription that is there from the start, as EVENT socket."),
    row("event_subscriptions_max", Kind::Number { min: 1, max: 65_536 }, "256", "",
        "How many subscriptions to events there can be."),
    row("event_sockets_max", Kind::Number { min: 0, max: 1024 }, "16", "",
        "How many different kafka: sockets events can be sent to."),
];

/// The rows of kafka; [`COMMON`](crate::config::COMMON) are the others.
#[rustfmt::skip]
pub const KAFKA: &[Setting] = &[
    row("brokers", TEXT, "", "",
        "The cluster, as host:port,... Mandatory."),
    row("configuration", TEXT, "", "",
        "Global properties of the client library, as name=value;..."),
    row("topic", Kind::Texts, "", "",
        "A topic that messages can be sent to, with its properties: name=TOPIC;property=value;..."),
    row("init_without_kafka", FLAG, "0", "",
        "1: Kamailio starts even if no broker answers."),
    row("log_without_overflow", FLAG, "0", "",
        "Accepted for compatibility, without effect: a cluster that is away is logged once."),
    row("metadata_timeout", Kind::Number { min: 0, max: 600_000 }, "2000", "milliseconds",
        "How long the start waits for an answer of a broker."),
];
