//! `kazoo_publish`: what it sends, from which routes it works, and what it returns.

mod content;
mod place;

use super::bus::Bus;
use crate::server::rabbitmq::Rabbit;

/// Publishes the body with the user part as routing key.
fn publishing(exchange: &str) -> String {
    format!(r#"kazoo_publish("{exchange}", "$rU", "$rb"); $var(answer) = "rc=" + $rc;"#)
}

fn bus() -> Bus {
    Bus::to(Rabbit::shared().port())
}
