//! Another connection, with other certificates, in place of one that works: the subscriptions are made
//! there, then ended here, and what had come here is acknowledged. So nothing is lost, and nothing comes
//! twice.

use super::{Channel, Consumer, Session};
use crate::connector::amqp::connect::again;
use std::convert::Infallible;
use tokio::sync::watch;

impl Consumer<'_> {
    /// Reads for ever; after each of the `renewals` from another connection.
    pub(super) async fn keep(
        &mut self,
        session: &mut Session,
        renewals: &mut watch::Receiver<u64>,
    ) -> Result<Infallible, String> {
        loop {
            tokio::select! {
                served = self.serve(session, |_| false) => served?,
                Ok(()) = renewals.changed() => self.renew(session).await?,
            }
        }
    }

    async fn renew(&mut self, session: &mut Session) -> Result<(), String> {
        let coming = again(&self.common.dialer, self.server);
        let made = tokio::select! {
            made = coming => made,
            served = self.serve(session, |_| false) => return served,
        };
        let mut next = self.successor();
        let made = match made {
            Ok(fresh) => self.subscribe(session, &mut next, fresh).await?,
            Err(why) => Err(why),
        };
        let mut fresh = match made {
            Ok(fresh) => fresh,
            Err(why) => {
                let presence = &self.common.presence;
                presence.not_renewed(self.index, self.role, &why);
                return Ok(());
            }
        };
        for channel in &mut self.channels {
            channel.leave(&mut session.output);
        }
        let left = |old: &Self| old.parked.is_none() && old.channels.iter().all(Channel::has_left);
        let ended = tokio::select! {
            left = self.serve(session, left) => left,
            served = next.serve(&mut fresh, |_| false), if !self.is_exclusive() => return served,
        };
        if let Err(why) = ended {
            // What was not acknowledged comes once more, on the other one.
            log::warn!(
                "kazoo: {}: the old connection was lost before its end: {why}",
                self.server
            );
        }
        let old = std::mem::replace(session, fresh);
        for (channel, old) in next.channels.iter_mut().zip(&self.channels) {
            channel.succeed(old);
        }
        self.channels = next.channels;
        self.parked = next.parked;
        self.blamed = false;
        (0..self.channels.len()).for_each(|at| self.show_at(at));
        old.end().await;
        self.common.presence.renewed(self.index, self.role);
        Ok(())
    }

    /// A queue that only one connection may use cannot be read from two.
    fn is_exclusive(&self) -> bool {
        let mut channels = self.channels.iter();
        channels.any(|channel| channel.subscription.queue.exclusive)
    }

    fn successor(&self) -> Self {
        Self {
            common: self.common,
            server: self.server,
            index: self.index,
            role: self.role,
            channels: self.channels.iter().map(Channel::successor).collect(),
            parked: None,
            // This one was reported as up.
            up: true,
            blamed: false,
        }
    }

    /// Makes the subscriptions of `next` while this one goes on: why that does not work, if so.
    async fn subscribe(
        &mut self,
        session: &mut Session,
        next: &mut Self,
        mut fresh: Session,
    ) -> Result<Result<Session, String>, String> {
        if self.is_exclusive() {
            return Ok(Ok(fresh));
        }
        let settled = |next: &Self| next.channels.iter().all(Channel::is_settled);
        tokio::select! {
            settled = next.serve(&mut fresh, settled) => Ok(settled.map(|()| fresh)),
            served = self.serve(session, |_| false) => served.map(|()| Err("it ended".to_owned())),
        }
    }
}
