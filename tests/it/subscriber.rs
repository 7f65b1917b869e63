//! The independent NATS client: what counts is what it receives, not what Kamailio says it sent.

use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Message};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::arrived::Arrived;
use crate::wait;

/// More than any test publishes: the client drops what does not fit, and a drop here would look
/// like a loss of the module's.
const BACKLOG: usize = 4_000_000;

/// The runtime of all harness clients and gates.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    })
}

/// A connection with one subscription, whose messages are kept or handed to a closure.
pub(crate) struct Subscriber {
    client: Client,
    arrived: Arrived<Message>,
}

impl Subscriber {
    /// Keeps what arrives on `subject`. When it returns, the server knows the subscription.
    pub(crate) fn new(url: &str, subject: &str) -> Self {
        Self::with_options(ConnectOptions::new(), url, subject)
    }

    pub(crate) fn with_options(options: ConnectOptions, url: &str, subject: &str) -> Self {
        let arrived = Arrived::new();
        let client = subscribe(options, url, subject, arrived.keeper());
        Self { client, arrived }
    }

    /// Hands each message on `subject` to `sink`, which must be quick.
    pub(crate) fn each(
        url: &str,
        subject: &str,
        sink: impl FnMut(Message) + Send + 'static,
    ) -> Self {
        let client = subscribe(ConnectOptions::new(), url, subject, sink);
        Self {
            client,
            arrived: Arrived::new(),
        }
    }

    /// A connection that only publishes.
    pub(crate) fn publisher(url: &str) -> Self {
        Self::each(url, "harness.unused", |_| {})
    }

    /// The payloads so far, as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages().iter().map(text).collect()
    }

    /// Waits for exactly one message.
    pub(crate) fn only(&self) -> Message {
        self.arrived.only(|| self.settle())
    }

    /// Has the server answer once more on this connection: what it sent before has arrived.
    pub(crate) fn settle(&self) {
        runtime().block_on(round_trip(&self.client));
    }

    pub(crate) fn publish(&self, subject: &str, payload: impl Into<Vec<u8>>) {
        let (subject, payload) = (subject.to_string(), payload.into());
        runtime().block_on(async {
            self.client.publish(subject, payload.into()).await.unwrap();
            self.client.flush().await.unwrap();
        });
    }

    pub(crate) fn publish_full(
        &self,
        subject: &str,
        reply: &str,
        headers: HeaderMap,
        payload: &[u8],
    ) {
        let (subject, reply, payload) = (subject.to_string(), reply.to_string(), payload.to_vec());
        runtime().block_on(async {
            let sent =
                self.client
                    .publish_with_reply_and_headers(subject, reply, headers, payload.into());
            sent.await.unwrap();
            self.client.flush().await.unwrap();
        });
    }

    /// The answer to a request, as text.
    pub(crate) fn request(&self, subject: &str, payload: &str) -> String {
        let (subject, payload) = (subject.to_string(), payload.to_string());
        let answer = runtime().block_on(self.client.request(subject, payload.into()));
        text(&answer.unwrap())
    }
}

impl Deref for Subscriber {
    type Target = Arrived<Message>;

    fn deref(&self) -> &Self::Target {
        &self.arrived
    }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

fn subscribe(
    options: ConnectOptions,
    url: &str,
    subject: &str,
    mut sink: impl FnMut(Message) + Send + 'static,
) -> Client {
    let (url, subject) = (url.to_string(), subject.to_string());
    runtime().block_on(async move {
        let options = options
            .subscription_capacity(BACKLOG)
            .request_timeout(Some(wait::watchdog()))
            .reconnect_delay_callback(|_| Duration::from_millis(10));
        let client = options.connect(url).await.unwrap();
        let mut subscription = client.subscribe(subject).await.unwrap();
        tokio::spawn(async move {
            while let Some(message) = subscription.next().await {
                sink(message);
            }
        });
        round_trip(&client).await;
        client
    })
}

/// Sends one message to itself: the server has handled all that was sent before on the connection.
async fn round_trip(client: &Client) {
    let inbox = client.new_inbox();
    let mut subscription = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    client.flush().await.unwrap();
    tokio::time::timeout(wait::watchdog(), subscription.next())
        .await
        .expect("watchdog: round trip");
}
