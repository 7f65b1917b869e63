//! A cluster that demands a client's certificate.

use super::proxy::Proxy;
use crate::certificates::Certificates;
use crate::port;
use crate::server::kafka::Kafka;

/// tansu behind a proxy that demands a certificate: with it a topic, and what reaches it.
pub(super) struct SecureKafka {
    pub(super) made: Certificates,
    pub(super) proxy: Proxy,
    pub(super) kafka: Kafka,
    pub(super) topic: String,
}

impl SecureKafka {
    pub(super) fn start() -> Self {
        let made = Certificates::new();
        made.renew("shown", "client");
        let upstream = port::free();
        let proxy = Proxy::before(upstream, &made, "server", true);
        let kafka = Kafka::behind(upstream, proxy.port());
        let topic = kafka.topic();
        Self {
            made,
            proxy,
            kafka,
            topic,
        }
    }

    /// Properties of a client that trusts whom this file names, and shows `shown.pem`.
    pub(super) fn client(&self, trusted: &str) -> Vec<(&'static str, String)> {
        vec![
            ("broker.address.family", "v4".to_owned()),
            ("security.protocol", "ssl".to_owned()),
            ("ssl.ca.location", self.made.path(trusted)),
            ("ssl.certificate.location", self.made.path("shown.pem")),
            ("ssl.key.location", self.made.path("shown.key")),
        ]
    }
}
