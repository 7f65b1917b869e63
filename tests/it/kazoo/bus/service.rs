//! Services: who answers queries on the bus.

use std::sync::{Arc, Mutex};

use amqprs::BasicProperties;
use amqprs::channel::BasicPublishArguments;
use serde_json::{Value, json};

use super::{Bus, Consumer, Message};
use crate::server::rabbitmq::Rabbit;

/// Answers queries as a service on the bus does: what comes to an exchange under a key, is
/// answered to its `Server-ID` with its `Msg-ID` and what `answer` says.
pub(crate) fn service(
    port: u16,
    exchange: &str,
    key: &str,
    answer: impl Fn(&Value) -> Vec<Value> + Send + 'static,
) -> Service {
    let (bus, replies) = (Bus::to(port), Bus::to(port));
    let queue = format!("{exchange}-service");
    bus.exchange(exchange, "topic");
    bus.queue(&queue);
    bus.bind(&queue, exchange, key);
    let seen: Arc<Mutex<Vec<Message>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let channel = replies.channel.clone();
    let consumer = bus.each(&queue, move |message| {
        let question = message.json();
        keep.lock().unwrap().push(message);
        for mut body in answer(&question) {
            if body.get("Msg-ID").is_none() {
                body["Msg-ID"] = question["Msg-ID"].clone();
            }
            let to = question["Server-ID"].as_str().expect("a Server-ID");
            let args = BasicPublishArguments::new("targeted", to);
            let (channel, body) = (channel.clone(), body.to_string().into_bytes());
            tokio::spawn(async move {
                let sent = channel.basic_publish(BasicProperties::default(), body, args);
                sent.await.ok();
            });
        }
    });
    Service {
        _consumer: consumer,
        _replies: replies,
        seen,
    }
}

/// A running service.
pub(crate) struct Service {
    _consumer: Consumer,
    _replies: Bus,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Service {
    /// The questions so far.
    pub(crate) fn seen(&self) -> Vec<Message> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers every question with its user.
pub(crate) fn greeter(exchange: &str) -> Service {
    service(Rabbit::shared().port(), exchange, "#", |question| {
        vec![json!({"Answer": format!("hello {}", question["User"].as_str().unwrap())})]
    })
}

/// Nobody answers here.
pub(crate) fn silent(exchange: &str) -> Service {
    service(Rabbit::shared().port(), exchange, "#", |_| Vec::new())
}
