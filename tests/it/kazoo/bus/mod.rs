//! The independent AMQP client: what counts is what it receives, not what Kamailio says it sent.

mod listener;
mod service;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use amqprs::channel::{
    BasicConsumeArguments, BasicPublishArguments, Channel, ConsumerMessage,
    ExchangeDeclareArguments, ExchangeDeleteArguments, QueueBindArguments, QueueDeclareArguments,
    QueueDeleteArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{BasicProperties, FieldTable, FieldValue};
use serde_json::Value;

use crate::subscriber::runtime;

pub(crate) use listener::Listener;
pub(crate) use service::{greeter, service, silent};

/// Something of the client library's, which needs the runtime also for its end.
struct Held<T>(Option<T>);

impl<T> Held<T> {
    fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let _entered = runtime().enter();
        self.0 = None;
    }
}

/// A connection to the server on a port; it is closed with the last that came of it.
pub(crate) struct Bus {
    channel: Held<Channel>,
    connection: Arc<Held<Connection>>,
}

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) key: String,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) redelivered: bool,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which must be JSON as everybody understands it.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Bus {
    pub(crate) fn to(port: u16) -> Self {
        Self::as_user(port, "guest", "guest", "/")
    }

    pub(crate) fn as_user(port: u16, user: &str, password: &str, vhost: &str) -> Self {
        runtime().block_on(async {
            let mut args = OpenConnectionArguments::new("127.0.0.1", port, user, password);
            let connection = Connection::open(args.virtual_host(vhost)).await.unwrap();
            let channel = connection.open_channel(None).await.unwrap();
            Self {
                channel: Held::new(channel),
                connection: Arc::new(Held::new(connection)),
            }
        })
    }

    /// Declares an exchange as kazoo does where nothing else is said: not durable.
    pub(crate) fn exchange(&self, name: &str, kind: &str) {
        let args = ExchangeDeclareArguments::new(name, kind);
        runtime()
            .block_on(self.channel.exchange_declare(args))
            .unwrap();
    }

    /// Declares an exchange and a queue that survive the server's end with all they hold.
    pub(crate) fn keep(&self, exchange: &str, queue: &str) {
        runtime().block_on(async {
            let mut args = ExchangeDeclareArguments::new(exchange, "topic");
            self.channel
                .exchange_declare(args.durable(true).finish())
                .await
                .unwrap();
            let mut arguments = FieldTable::new();
            let kind = FieldValue::from("quorum".to_string());
            arguments.insert("x-queue-type".try_into().unwrap(), kind);
            let mut args = QueueDeclareArguments::durable_client_named(queue);
            self.channel
                .queue_declare(args.arguments(arguments).finish())
                .await
                .unwrap();
            let args = QueueBindArguments::new(queue, exchange, "#");
            self.channel.queue_bind(args).await.unwrap();
        });
    }

    /// A queue that everybody may use, and that stays.
    pub(crate) fn queue(&self, name: &str) {
        let args = QueueDeclareArguments::new(name);
        runtime()
            .block_on(self.channel.queue_declare(args))
            .unwrap();
    }

    pub(crate) fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let args = QueueBindArguments::new(queue, exchange, key);
        runtime().block_on(self.channel.queue_bind(args)).unwrap();
    }

    /// How many messages wait in a queue, and how many consumers it has.
    pub(crate) fn waiting(&self, queue: &str) -> Option<(u32, u32)> {
        runtime().block_on(async {
            // A server answers for a queue that is not there by closing the channel.
            let channel = self.connection.open_channel(None).await.unwrap();
            let mut args = QueueDeclareArguments::new(queue);
            let answer = channel.queue_declare(args.passive(true).finish()).await;
            let (_, messages, consumers) = answer.ok()??;
            channel.close().await.unwrap();
            Some((messages, consumers))
        })
    }

    pub(crate) fn delete(&self, queue: &str) {
        let args = QueueDeleteArguments::new(queue);
        runtime().block_on(self.channel.queue_delete(args)).unwrap();
    }

    pub(crate) fn delete_exchange(&self, name: &str) {
        let args = ExchangeDeleteArguments::new(name);
        runtime()
            .block_on(self.channel.exchange_delete(args))
            .unwrap();
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: impl Into<Vec<u8>>) {
        let args = BasicPublishArguments::new(exchange, key);
        let properties = BasicProperties::default();
        let sent = self.channel.basic_publish(properties, body.into(), args);
        runtime().block_on(sent).unwrap();
    }

    /// Hands each message in a queue to `sink`, which must be quick.
    pub(crate) fn each(
        &self,
        queue: &str,
        mut sink: impl FnMut(Message) + Send + 'static,
    ) -> Consumer {
        runtime().block_on(async {
            let channel = self.connection.open_channel(None).await.unwrap();
            let mut args = BasicConsumeArguments::new(queue, "");
            let args = args.auto_ack(true).finish();
            let (_, mut incoming) = channel.basic_consume_rx(args).await.unwrap();
            tokio::spawn(async move {
                while let Some(message) = incoming.recv().await {
                    sink(taken(message));
                }
            });
            Consumer {
                channel: Held::new(channel),
                _connection: Arc::clone(&self.connection),
            }
        })
    }
}

/// Consumes until it is dropped.
pub(crate) struct Consumer {
    channel: Held<Channel>,
    _connection: Arc<Held<Connection>>,
}

fn taken(message: ConsumerMessage) -> Message {
    let deliver = message.deliver.expect("a delivery");
    let properties = message.basic_properties.unwrap_or_default();
    let table = properties.headers().cloned().unwrap_or_default();
    let headers = AsRef::<std::collections::HashMap<_, _>>::as_ref(&table)
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    Message {
        key: deliver.routing_key().clone(),
        content_type: properties.content_type().cloned(),
        headers: headers.collect(),
        redelivered: deliver.redelivered(),
        body: message.content.unwrap_or_default(),
    }
}
