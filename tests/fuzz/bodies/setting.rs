//! Settings: lines of the configuration, and the document that the engine gets.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sipbus::config::{Given, Value};
use sipbus::engine_document::Document;
use sipbus::{evapi, kafka, kazoo, nats};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Lines of `name=value` as modparams of each module: accepted, and the engine gets what was said;
/// or refused with sentences. What is no such line is a document of settings.
pub(crate) fn setting(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if text.starts_with('{') {
        return document(input);
    }
    let given = given(text);
    crosses(nats::settings::Settings::from_given(&given, true));
    crosses(evapi::settings::Settings::from_given(&given, true));
    crosses(kazoo::settings::Settings::from_given(&given));
    crosses(kafka::settings::Settings::kafka(&given));
    let settings = kafka::settings::Settings::event_kafka(&given);
    if let Ok(settings) = &settings {
        inboxes(settings);
    }
    crosses(settings);
}

fn given(text: &str) -> Given {
    let mut given = Given::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        // Files and names are looked up: that is another test's.
        let looked_up = name.contains("file") || name.starts_with("amqps_");
        if looked_up || name == "bind_addr" || name == "unix_socket_owner" {
            continue;
        }
        let value = match value.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(value.to_owned()),
        };
        given.add(name, value);
    }
    given
}

/// Settings that were accepted arrive at the engine as they are; others were refused with sentences.
fn crosses<T>(settings: Result<T, Vec<String>>)
where
    T: Debug + PartialEq + Serialize + DeserializeOwned,
{
    match settings {
        Ok(settings) => {
            let value = serde_json::to_value(&settings).unwrap();
            let document = Document {
                drain_timeout_ms: 1,
                modules: BTreeMap::from([("module".to_owned(), value)]),
            };
            let bytes = serde_json::to_vec(&document).unwrap();
            let mut document: Document = serde_json::from_slice(&bytes).unwrap();
            let value = document.modules.remove("module").unwrap();
            let again: T = serde_json::from_value(value).unwrap();
            assert_eq!(again, settings);
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|sentence| !sentence.is_empty()));
        }
    }
}

/// Every inbox belongs to one consumer or to the reports.
fn inboxes(settings: &kafka::settings::Settings) {
    let mut next = settings.report_workers;
    for consumer in 0..settings.consumers.len() {
        let own = settings.inboxes_of(consumer);
        assert_eq!(own.start, next);
        next = own.end;
    }
    assert_eq!(next, settings.inboxes());
    assert_eq!(settings.worker_titles().len(), settings.inboxes());
}

/// Whatever comes as a document is read as settings or refused.
fn document(input: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Document>(input) else {
        return;
    };
    for (_, value) in document.modules {
        drop(serde_json::from_value::<nats::settings::Settings>(
            value.clone(),
        ));
        drop(serde_json::from_value::<evapi::settings::Settings>(
            value.clone(),
        ));
        drop(serde_json::from_value::<kafka::settings::Settings>(
            value.clone(),
        ));
        drop(serde_json::from_value::<kazoo::settings::Settings>(value));
    }
}
