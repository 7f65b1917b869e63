//! Listening: what arrives in one queue is kept.

use std::ops::Deref;

use amqprs::channel::{QueueBindArguments, QueueDeclareArguments};

use super::{Bus, Consumer, Message};
use crate::arrived::Arrived;
use crate::subscriber::runtime;

impl Bus {
    /// Keeps what arrives at an exchange of this kind under a key. When it returns, the server
    /// knows the binding.
    pub(crate) fn listen(&self, exchange: &str, kind: &str, key: &str) -> Listener {
        self.exchange(exchange, kind);
        let queue = runtime().block_on(async {
            let mut args = QueueDeclareArguments::new("");
            let queue = self
                .channel
                .queue_declare(args.exclusive(true).finish())
                .await
                .unwrap()
                .unwrap()
                .0;
            let args = QueueBindArguments::new(&queue, exchange, key);
            self.channel.queue_bind(args).await.unwrap();
            queue
        });
        self.consume(&queue)
    }

    /// Keeps what arrives in a queue.
    pub(crate) fn consume(&self, queue: &str) -> Listener {
        let arrived = Arrived::new();
        Listener {
            consumer: self.each(queue, arrived.keeper()),
            queue: queue.into(),
            arrived,
        }
    }
}

/// What arrives in one queue.
pub(crate) struct Listener {
    consumer: Consumer,
    queue: String,
    arrived: Arrived<Message>,
}

impl Listener {
    /// Waits for exactly one message.
    pub(crate) fn only(&self) -> Message {
        self.arrived.only(|| self.settle())
    }

    /// Has the server answer once more for this queue: what it sent before has arrived.
    pub(crate) fn settle(&self) {
        let mut args = QueueDeclareArguments::new(&self.queue);
        let declared = self
            .consumer
            .channel
            .queue_declare(args.passive(true).finish());
        runtime().block_on(declared).unwrap();
    }
}

impl Deref for Listener {
    type Target = Arrived<Message>;

    fn deref(&self) -> &Self::Target {
        &self.arrived
    }
}
