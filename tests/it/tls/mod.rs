//! TLS, the same for every connector: who is refused, what operators are told, and that new
//! certificates cost no message.

pub(crate) mod clients;
mod guard;
mod matrix;
mod proxy;
mod reload;
mod sasl;
mod scram;
mod secure_kafka;
mod socket;

/// Properties of Kafka's library as a setting names them: `before` each name, `between` two of them.
fn properties(list: &[(&str, String)], before: &str, between: &str) -> String {
    let one = |(name, value): &(&str, String)| format!("{before}{name}={value}");
    list.iter().map(one).collect::<Vec<_>>().join(between)
}
