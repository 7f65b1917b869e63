//! What the library says of the settings before anything runs.

use super::producer::config;
use super::session::explain;
use crate::kafka::consume::Consumer;
use crate::kafka::settings::Settings;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer};
use std::time::Duration;

/// Every mistake, as a sentence. Clients are made for it, and where the settings want an answer of a
/// broker, that is waited for. Blocking.
pub(super) fn check(settings: serde_json::Value) -> Vec<String> {
    let settings: Settings = match serde_json::from_value(settings) {
        Ok(settings) => settings,
        Err(error) => return vec![error.to_string()],
    };
    clients(&settings)
}

/// The same, of settings that were read.
pub(super) fn clients(settings: &Settings) -> Vec<String> {
    let mut mistakes = Vec::new();
    let bytes = settings.common.message_bytes_max;
    // The kafka module's producers are of one cluster and differ in properties of topics only: one asks.
    let mut asked = false;
    for (index, producer) in settings.producers.iter().enumerate() {
        let config = config(&producer.brokers, &producer.properties, bytes);
        match config.create::<BaseProducer>() {
            Ok(client) if settings.needs_broker && !asked => {
                asked = true;
                let wait = Duration::from_millis(settings.metadata_timeout_ms);
                if let Err(error) = client.client().fetch_metadata(None, wait) {
                    mistakes.push(format!(
                        "brokers = \"{}\": none of them answers: {} (init_without_kafka = 1 starts all the same)",
                        producer.brokers,
                        explain(&error)
                    ));
                }
            }
            Ok(_) => {}
            Err(error) => {
                mistakes.push(format!("{}: {}", title(settings, index), explain(&error)));
            }
        }
    }
    for socket in &settings.sockets {
        let config = config(&socket.brokers, &socket.properties, bytes);
        if let Err(error) = config.create::<BaseProducer>() {
            mistakes.push(format!("{socket}: {}", explain(&error)));
        }
    }
    for line in &settings.consumers {
        if let Err(why) = subscription(line) {
            mistakes.push(format!("consume, group={}: {why}", line.group));
        }
    }
    mistakes
}

/// Whether the library takes a consumer and its topics. Without brokers, so that no group sees it.
fn subscription(line: &Consumer) -> Result<(), String> {
    let mut config: ClientConfig = super::consume::config(line);
    config.set("bootstrap.servers", "");
    let client: BaseConsumer = config.create().map_err(|error| explain(&error))?;
    let topics: Vec<&str> = line.topics.iter().map(String::as_str).collect();
    client.subscribe(&topics).map_err(|error| {
        let topics = topics.join(",");
        format!("topics={topics}: the library does not take this list; is a pattern (^...) no regular expression? ({error})")
    })
}

/// What the configuration calls a producer.
fn title(settings: &Settings, index: usize) -> String {
    let own = settings.targets.iter().filter(|t| t.producer == index);
    let ids: Vec<&str> = own.map(|target| target.id.as_str()).collect();
    match (settings.module.as_str(), ids.is_empty()) {
        ("kafka", true) => "configuration".to_owned(),
        ("kafka", false) => format!("configuration or topic {}", ids.join(", ")),
        _ => format!("broker_id [{}]", ids.join("], [")),
    }
}
