//! A TCP gate between Kamailio and a server, which a test opens and shuts.
//!
//! A server that appears is seen by Kamailio as soon as it listens. With a gate before it, the
//! independent subscriber is there first, so that nothing can arrive unseen.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::port;
use crate::subscriber::runtime;

/// Shut at first: its port refuses connections.
pub(crate) struct Gate {
    port: u16,
    upstream: u16,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Gate {
    pub(crate) fn before(upstream: u16) -> Self {
        Self {
            port: port::free(),
            upstream,
            tasks: Arc::default(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Lets connections through.
    pub(crate) fn open(&self) {
        let listener = runtime()
            .block_on(TcpListener::bind(("127.0.0.1", self.port)))
            .unwrap();
        let (upstream, tasks) = (self.upstream, Arc::clone(&self.tasks));
        let accept = async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let pass = async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", upstream)).await {
                        copy_bidirectional(&mut near, &mut far).await.ok();
                    }
                };
                tasks.lock().unwrap().spawn(pass);
            }
        };
        let _entered = runtime().enter();
        self.tasks.lock().unwrap().spawn(accept);
    }

    /// Cuts all connections and refuses new ones.
    pub(crate) fn shut(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        runtime().block_on(async move {
            let mut tasks = tasks;
            tasks.shutdown().await;
        });
        // The accept task may have passed a connection on while it was being stopped.
        self.tasks.lock().unwrap().abort_all();
    }
}
