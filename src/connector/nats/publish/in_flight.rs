//! What is on its way: batches of frames, each with a PING behind it, whose PONG confirms them.

use crate::connector::nats::protocol::put_publish;
use crate::frame::nats::Publish;
use crate::link::{Mark, Outbound, Verdict};
use bytes::BytesMut;
use std::collections::VecDeque;

/// Cost of the frames that one PING confirms, if there are so many.
const BATCH_COST: usize = 64 * 1024;

/// Cost of what is on its way and not confirmed: what can arrive twice after a crash.
const IN_FLIGHT_COST: usize = 384 * 1024;

/// A frame costs its bytes, but no less than this: many small ones are as many duplicates.
const FRAME_COST_MIN: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct InFlight {
    /// What each PONG to come confirms, and its cost, oldest first.
    marks: VecDeque<(Mark, usize)>,
    cost: usize,
    spare: Vec<Mark>,
}

impl InFlight {
    /// True if no PONG is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// True if no more may be sent before a PONG has come.
    pub(super) fn is_full(&self) -> bool {
        self.cost >= IN_FLIGHT_COST
    }

    /// Writes the lanes' next frames and their PING into `output`. `limit` is the server's, of a payload.
    pub(super) fn take(&mut self, outbound: &mut Outbound, output: &mut BytesMut, limit: usize) {
        let mut cost = 0;
        let taken = outbound.take(BATCH_COST, |frame| {
            let verdict = encode(output, frame, limit);
            if let Verdict::Sent(sent) = verdict {
                cost += sent;
            }
            verdict
        });
        if taken {
            let mut mark = self.spare.pop().unwrap_or_default();
            outbound.mark(&mut mark);
            self.cost += cost;
            self.ping(output, mark, cost);
        }
    }

    /// Writes a PING that confirms nothing, but tests the connection.
    pub(super) fn test(&mut self, output: &mut BytesMut) {
        self.ping(output, Mark::default(), 0);
    }

    fn ping(&mut self, output: &mut BytesMut, mark: Mark, cost: usize) {
        output.extend_from_slice(b"PING\r\n");
        self.marks.push_back((mark, cost));
    }

    /// A PONG has come: releases what it confirms.
    pub(super) fn confirm(&mut self, outbound: &mut Outbound) {
        if let Some((mark, cost)) = self.marks.pop_front() {
            self.cost -= cost;
            outbound.release(&mark);
            self.spare.push(mark);
        }
    }

    /// The server did not take a message: it is one of the oldest batch.
    pub(super) fn reject_one(&mut self) {
        if let Some((mark, _)) = self.marks.front_mut() {
            mark.reject_one();
        }
    }
}

fn encode(output: &mut BytesMut, frame: &[u8], limit: usize) -> Verdict {
    let Some(publish) = Publish::parse(frame) else {
        log::error!("nats: a frame that cannot be read is left out");
        return Verdict::Rejected;
    };
    if publish.payload.len() > limit {
        // Accepted while the server and its limit were not known.
        log::error!(
            "nats: a message of {} bytes for {} is over the server's limit of {limit}: left out",
            publish.payload.len(),
            String::from_utf8_lossy(publish.subject),
        );
        return Verdict::Rejected;
    }
    let before = output.len();
    put_publish(output, &publish);
    Verdict::Sent((output.len() - before).max(FRAME_COST_MIN))
}
