//! What connections are made with, and which server they are made to: those of the settings, and those of the cluster that
//! a server tells of.

use super::protocol::Info;
use crate::connector::tls::Held;
use crate::nats::settings::Settings;
use crate::nats::url::Server;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

/// A connection that lasts less is followed by another after a pause.
const SHORT: Duration = Duration::from_secs(1);

/// What connections are made with.
pub(super) struct Dialer {
    pub(super) settings: Rc<Settings>,
    pub(super) tls: Rc<Held<Arc<ClientConfig>>>,
    /// Servers of the cluster that a server told us about.
    discovered: RefCell<Vec<Server>>,
}

impl Dialer {
    pub(super) fn new(settings: Rc<Settings>, tls: Rc<Held<Arc<ClientConfig>>>) -> Self {
        Self {
            settings,
            tls,
            discovered: RefCell::default(),
        }
    }

    /// Takes the cluster's servers from what one of them says, if it says something of them.
    pub(super) fn discover(&self, info: &Info, like: &Server) {
        if !info.connect_urls.is_empty() {
            let found = discovered(info, like, &self.settings.servers);
            self.discovered.replace(found);
        }
    }

    /// How long a server may take to answer.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_millis(self.settings.connect_timeout_ms)
    }

    fn server(&self, number: usize) -> Option<Server> {
        let configured = &self.settings.servers;
        let discovered = self.discovered.borrow();
        configured.iter().chain(&*discovered).nth(number).cloned()
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.settings.servers.len() + self.discovered.borrow().len()
    }
}

/// Which server comes next, and when.
#[derive(Debug, Default)]
pub(super) struct Failover {
    next: usize,
    /// When the last connection was made.
    made: Option<Instant>,
}

impl Failover {
    pub(super) fn next(&mut self, dialer: &Dialer) -> Option<Server> {
        let index = self.next % dialer.servers().max(1);
        self.next = index + 1;
        dialer.server(index)
    }

    /// A connection was made.
    pub(super) fn made(&mut self) {
        self.made = Some(Instant::now());
    }

    /// Waits, for up to `most`, if the last connection lasted a moment only: a server that lets us in and hangs up is not to
    /// be asked without end.
    pub(super) async fn wait(&self, most: Duration) {
        if self.made.is_some_and(|made| made.elapsed() < SHORT) {
            tokio::time::sleep(SHORT.min(most)).await;
        }
    }
}

/// The servers that one of them names, but for those that are configured; they are logged in to like it. An address has
/// no certificate of its own: it is expected to show the one for the name that is known.
pub(super) fn discovered(info: &Info, like: &Server, configured: &[Server]) -> Vec<Server> {
    let addresses = info.connect_urls.iter().filter_map(|url| {
        let (host, port) = url.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let is_address = host.parse::<IpAddr>().is_ok();
        Some(Server {
            tls_name: is_address.then(|| like.tls_name().to_owned()),
            host,
            port: port.parse().ok()?,
            ..like.clone()
        })
    });
    let known = |server: &Server| {
        configured
            .iter()
            .any(|other| (&other.host, other.port) == (&server.host, server.port))
    };
    addresses.filter(|server| !known(server)).take(64).collect()
}
