//! Load and independent counting for the benches. Results go to standard output, one line each,
//! numbers only, times in nanoseconds.
//!
//! ```text
//! harness count    SERVER SUBJECT                     counts; for each line N of standard input
//!                                                     waits for N messages: "count first last"
//! harness publish  SERVER COUNT SIZE SUBJECT          the raw connection: "nanoseconds"
//! harness consume  SERVER ACKS WINDOW COUNT SIZE SUBJECT...
//!                                                     publishes, never more than WINDOW ahead of
//!                                                     what messages on ACKS say was consumed:
//!                                                     "consumed nanoseconds"
//! harness latency  SERVER SUBJECT SIP RATE COUNT      sends SIP requests, and compares the time in
//!                                                     each payload: "count p50 p99 max"
//! harness evapi-count     ADDRESS CLIENTS             so many clients that read; for each line N
//!                                                     of standard input waits for N frames each:
//!                                                     "least total first last"
//! harness evapi-stall     ADDRESS                     a client that never reads, until standard
//!                                                     input is closed
//! harness evapi-roundtrip ADDRESS SIP USER COUNT N    SIP requests, N at a time, and the client
//!                                                     that answers what the script asks it:
//!                                                     "answered failed nanoseconds p50 p99"
//! harness evapi-send      ADDRESS CLIENTS COUNT SIZE UNIT
//!                                                     clients that send; the script relays the
//!                                                     number of each UNIT events it handled:
//!                                                     "handled nanoseconds"
//! harness kafka-cluster PARTITIONS TOPIC...           a mock cluster, until standard input is
//!                                                     closed: its brokers
//! harness kafka-produce BROKERS TOPIC COUNT SIZE PARTITIONS
//!                                                     the bare library: "delivered nanoseconds"
//! harness kafka-consume BROKERS TOPIC COUNT           the bare library: "consumed nanoseconds
//!                                                     processor-nanoseconds"
//! harness amqp-count      SERVER KEY                  as count
//! harness amqp-publish    SERVER COUNT SIZE KEY       as publish
//! harness amqp-consume    SERVER WINDOW COUNT SIZE UNIT SLACK
//!                                                     as consume; the script publishes a message
//!                                                     for each UNIT events it handled. Ends when
//!                                                     all but SLACK are told of
//! harness amqp-latency    SERVER KEY SIP RATE COUNT   as latency
//! harness amqp-answer     SERVER                      answers queries until standard input is
//!                                                     closed
//! harness amqp-query      SERVER COUNT                queries by a bare client: "p50 p99"
//! harness amqp-consumers  SERVER QUEUE                "consumers"
//! harness roundtrip       SIP USER COUNT N            as evapi-roundtrip, without a client
//! ```

mod amqp;
mod connection;
mod consume;
mod count;
mod evapi;
mod kafka;
mod latency;
mod publish;
mod roundtrip;

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io, process::ExitCode};

/// So long without any progress: what is missing will not come any more.
const STALLED: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["count", server, subject] => count::run(server, subject),
        ["publish", server, count, size, subject] => {
            publish::run(server, number(count), number(size), subject)
        }
        ["consume", server, acks, window, count, size, ..] => consume::run(
            server,
            acks,
            number(window),
            number(count),
            number(size),
            &arguments[6..],
        ),
        ["latency", server, subject, sip, rate, count] => {
            latency::run(server, subject, sip, number(rate), number(count))
        }
        ["evapi-count", address, clients] => evapi::count::run(address, number(clients)),
        ["evapi-stall", address] => evapi::stall(address),
        ["evapi-roundtrip", address, sip, user, count, flying] => {
            evapi::roundtrip::run(address, sip, user, number(count), number(flying))
        }
        ["amqp-count", server, key] => count::amqp(server, key),
        ["amqp-publish", server, count, size, key] => {
            publish::amqp(server, number(count), number(size), key)
        }
        ["amqp-consume", server, window, count, size, unit, slack] => consume::amqp(
            server,
            number(window),
            number(count),
            number(size),
            number(unit),
            number(slack),
        ),
        ["amqp-latency", server, key, sip, rate, count] => {
            latency::amqp(server, key, sip, number(rate), number(count))
        }
        ["amqp-answer", server] => amqp::answer::run(server),
        ["amqp-query", server, count] => amqp::query::run(server, number(count)),
        ["amqp-consumers", server, queue] => amqp::consumers::run(server, queue),
        ["roundtrip", sip, user, count, flying] => {
            roundtrip::run(sip, user, number(count), number(flying))
        }
        ["evapi-send", address, clients, count, size, unit] => evapi::send::run(
            address,
            number(clients),
            number(count),
            number(size),
            number(unit),
        ),
        ["kafka-cluster", partitions, ..] => kafka::cluster(number(partitions), &arguments[2..]),
        ["kafka-produce", brokers, topic, count, size, partitions] => kafka::produce(
            brokers,
            topic,
            number(count),
            number(size),
            number(partitions),
        ),
        ["kafka-consume", brokers, topic, count] => kafka::consume(brokers, topic, number(count)),
        _ => Err(io::Error::other("usage: see the top of src/main.rs")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("harness: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(word: &str) -> usize {
    word.parse()
        .unwrap_or_else(|_| panic!("{word} is no number"))
}

/// Since 1970, the clock that scripts see, too.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_nanos()
}
