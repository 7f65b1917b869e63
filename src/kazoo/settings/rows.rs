//! The parameters: type, default, unit, and what each is for.

use crate::config::{ANY, FLAG, Kind, Setting, TEXT, row};

pub(super) const DEFAULT_APP: &str = "kamailio";
pub(super) const DEFAULT_ZONE: &str = "local";
pub(super) const DEFAULT_KEY: &str = "Event-Category";
pub(super) const DEFAULT_SUBKEY: &str = "Event-Name";
pub(super) const DEFAULT_TABLE: &str = "presentity";
pub(super) const DEFAULT_ESCAPE: &str = "%";

/// Seconds of a timeout, at the most.
const SECONDS: Kind = Kind::Number { min: 0, max: 3600 };

/// Microseconds that come on top of them.
const MICROSECONDS: Kind = Kind::Number {
    min: 0,
    max: 3_600_000_000,
};

const UNUSED: &str = "Accepted for compatibility, without effect: there are no loops that wait.";

/// The module's own rows; [`COMMON`](crate::config::COMMON) are the others.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row("node_hostname", TEXT, "", "",
        "The name of this host, as messages and queues bear it. Mandatory. Two Kamailios at one server need different names."),
    row("app_name", TEXT, DEFAULT_APP, "",
        "App-Name of messages that have none."),
    row("amqp_connection", Kind::Texts, "", "",
        "A server: [zone=NAME;]amqp://user:password@host:port/vhost, or amqps:// for TLS, or kazoo://, which means amqp://. Left out are guest, guest, 5672 (5671 with TLS) and the vhost /. Several lines of a zone are a failover list for publishing; all are consumed from."),
    row("amqp_primary_zone", TEXT, DEFAULT_ZONE, "",
        "The zone of connections without one, and the zone that messages are published in."),
    row("amqp_max_channels", ANY, "50", "",
        "Accepted for compatibility, without effect: a connection has the channels that it needs."),
    row("amqp_heartbeats", Kind::Number { min: 0, max: 3600 }, "0", "seconds",
        "How often a quiet connection is tested by both sides; 0 for never. A connection that is silent for two of them is made again."),
    row("amqp_connect_timeout_sec", SECONDS, "0", "seconds",
        "How long an attempt to connect may take, log-in included; amqp_connect_timeout_micro comes on top."),
    row("amqp_connect_timeout_micro", MICROSECONDS, "200000", "microseconds",
        "See amqp_connect_timeout_sec. Both 0: 200000."),
    row("reconnect_wait_ms_max", Kind::Number { min: 10, max: 600_000 }, "2000", "milliseconds",
        "The longest pause between two attempts to connect. The first follows at once, then pauses grow from 50 ms, with jitter. There is no last attempt."),
    row("publisher_confirms", FLAG, "1", "",
        "1: a message is kept until the server has confirmed it. 0: until it was written."),
    row("amqp_query_timeout_sec", SECONDS, "2", "seconds",
        "How long a query waits for its answer; amqp_query_timeout_micro comes on top."),
    row("amqp_query_timeout_micro", MICROSECONDS, "0", "microseconds",
        "See amqp_query_timeout_sec. Both 0: 2 seconds."),
    row("amqp_query_timeout_avp", TEXT, "", "milliseconds",
        "A pseudo-variable, usually an AVP, whose value in milliseconds is the timeout of the next query instead, if it is above 0."),
    row("amqp_result_avp", TEXT, "$avp(amqp_result)", "",
        "Accepted for compatibility, without effect."),
    row("async_queries_max", Kind::Number { min: 1, max: 65_536 }, "1024", "",
        "The most async queries that may wait for their answers at a time. One more fails at once."),
    row("reply_size_max", Kind::Number { min: 1024, max: 1 << 29 }, "1048576", "bytes",
        "Longest answer that a blocking query takes; a longer one fails it. Each process has that much room, whose pages are touched only as they are used."),
    row("amqp_consumer_processes", ANY, "1", "",
        "Accepted for compatibility, without effect: the engine reads for all."),
    row("amqp_consumer_workers", Kind::Number { min: 0, max: 256 }, "8", "",
        "Processes that run the event routes, and resume what an async query has suspended. 0 means one."),
    row("prefetch", Kind::Number { min: 1, max: 65_535 }, "250", "",
        "For subscriptions with no_ack 0: how many messages per worker the server may send that are not acknowledged yet."),
    row("amqp_consumer_event_key", TEXT, DEFAULT_KEY, "",
        "The field of a message that makes the first part of its event route's name."),
    row("amqp_consumer_event_subkey", TEXT, DEFAULT_SUBKEY, "",
        "The field for the second part."),
    row("event_callback", TEXT, "", "",
        "Name of the KEMI function that is called instead of event routes."),
    row("json_escape_char", TEXT, DEFAULT_ESCAPE, "",
        "What stands for a dot in the names of a JSON path. Of several characters the first one counts."),
    row("amqps_ca_cert", TEXT, "", "",
        "File with the certificates (PEM) that an amqps:// server's must come from. Without it, those the system trusts."),
    row("amqps_cert", TEXT, "", "",
        "File with this client's certificate chain (PEM), for servers that ask for one. Needs amqps_key."),
    row("amqps_key", TEXT, "", "",
        "File with the key (PEM) of amqps_cert."),
    row("amqps_verify_peer", FLAG, "1", "",
        "0: any server certificate will do. The connection is encrypted then, but to whom is not known."),
    row("amqps_verify_hostname", FLAG, "1", "",
        "0: the server's certificate may be for another name."),
    row("pua_mode", FLAG, "1", "",
        "0: the kazoo_pua_publish functions are not used, and no database is connected to."),
    row("db_url", TEXT, "", "",
        "The database with the presentity table. Without it, the kazoo_pua_publish functions fail."),
    row("presentity_table", TEXT, DEFAULT_TABLE, "",
        "The name of that table."),
    row("pua_include_entity", FLAG, "1", "",
        "1: dialog documents have a target element for both sides."),
    row("presence_use_full_entity", FLAG, "0", "",
        "0: the entity of presence documents is From-User. 1: it is From."),
    row("pua_lock_type", Kind::Number { min: 0, max: 2 }, "1", "",
        "How the table is locked while a row is written: 0 not at all, 1 for writing, 2 for reading, too."),
    row("amqp_command_hashtable_size", ANY, "2048", "",
        "Accepted for compatibility, without effect: tables grow by themselves."),
    row("amqp_waitframe_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_waitframe_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_consumer_ack_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_consumer_ack_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_interprocess_timeout_sec", ANY, "0", "seconds", UNUSED),
    row("amqp_interprocess_timeout_micro", ANY, "100000", "microseconds", UNUSED),
    row("amqp_timmer_process_interval", ANY, "200", "milliseconds", UNUSED),
    row("amqp_timer_process_interval", ANY, "200", "milliseconds", UNUSED),
    row("amqp_internal_loop_count", ANY, "5", "", UNUSED),
    row("amqp_consumer_loop_count", ANY, "10", "", UNUSED),
    row("amqp_consumer_ack_loop_count", ANY, "20", "", UNUSED),
    row("single_consumer_on_reconnect", ANY, "1", "",
        "Accepted for compatibility, without effect: each subscription says by consistent-worker whether it needs that."),
    row("consume_messages_on_reconnect", ANY, "1", "",
        "Accepted for compatibility, without effect: what waits in a queue is always consumed."),
    row("use_federated_exchange", ANY, "0", "",
        "Accepted for compatibility, without effect: each subscription says by federate whether it is made in all zones."),
    row("federated_exchange", TEXT, "federation", "",
        "Accepted for compatibility, without effect."),
];
