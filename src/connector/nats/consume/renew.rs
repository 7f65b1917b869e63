//! The change to a connection with other certificates.

use super::{Consumer, subscribe};
use crate::connector::nats::session::{self, Session, Successor};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

impl Consumer<'_> {
    /// Another connection with the same subscription: the server gives each message to one of the two.
    /// It is made in a task of its own, for this one may wait for its worker meanwhile.
    pub(super) fn successor(&self) -> Successor {
        let (connecting, line) = (self.session.again(self.dialer), self.line.clone());
        let limit = self.dialer.limit();
        let (made, result) = oneshot::channel();
        spawn_local(async move {
            let subscribed = async {
                let mut session = connecting.await?;
                subscribe(&mut session, &line, limit).await?;
                Ok(session)
            };
            // Nobody wants it any more if the old connection was lost.
            drop(made.send(subscribed.await));
        });
        Box::pin(async { result.await.unwrap_or_else(|_| Err("it ended".to_owned())) })
    }

    /// Goes on with another connection, when everything that came with this one is handed on.
    pub(super) async fn replace(
        &mut self,
        made: Result<Box<Session>, String>,
    ) -> Result<(), String> {
        let session = match made {
            Ok(session) => session,
            Err(why) => {
                self.presence.not_renewed(&self.session.server, &why);
                return Ok(());
            }
        };
        if let Err(why) = self.retire().await {
            log::warn!("nats: the old connection was lost before its end: {why}");
        }
        self.session = *session;
        (self.skip, self.unanswered, self.silences) = (0, 0, 0);
        self.presence.renewed(&self.session.server);
        self.understand().await
    }

    /// Ends the subscription, and takes what the server had sent before. Only the server is hurried,
    /// not the worker.
    async fn retire(&mut self) -> Result<(), String> {
        let silent = |_| "it does not answer".to_owned();
        let leave = session::write(&mut self.session.writer, b"UNSUB 1\r\nPING\r\n");
        timeout(self.interval, leave).await.map_err(silent)??;
        self.unanswered += 1;
        while self.unanswered > 0 {
            let Session { reader, buffer, .. } = &mut self.session;
            let read = session::read(reader, buffer);
            timeout(self.interval, read).await.map_err(silent)??;
            self.understand().await?;
        }
        Ok(())
    }
}
