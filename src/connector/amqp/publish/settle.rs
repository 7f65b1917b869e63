//! What became of the messages that were sent: confirmed, not taken, or lost on their way.

use super::Publisher;
use crate::connector::amqp::line::Loss;
use crate::connector::amqp::send::Batch;
use crate::frame::kazoo::Reason;
use crate::kazoo::counter::connector;

impl Publisher {
    /// Releases what the servers have.
    pub(super) fn release(&mut self) {
        self.note_refused();
        let Self {
            outbound,
            lines,
            in_flight,
            ..
        } = self;
        let settled = |(at, tag): &(usize, u64)| {
            let line = lines.get(*at);
            line.is_none_or(|line| line.tags.borrow().settled() >= *tag)
        };
        while let Some(batch) = in_flight.batches.front()
            && batch.tags.iter().all(settled)
            && let Some(mut batch) = in_flight.batches.pop_front()
        {
            outbound.release(&batch.mark);
            in_flight.cost -= batch.cost;
            (batch.cost, batch.frames) = (0, 0);
            batch.tags.clear();
            batch.queries.clear();
            in_flight.spare.push(batch);
        }
    }

    /// Messages that a server said it could not take (basic.nack).
    fn note_refused(&mut self) {
        for (at, line) in self.lines.iter().enumerate() {
            let refused = line.tags.borrow_mut().take_refused();
            for tag in refused {
                let mut batches = self.in_flight.batches.iter_mut();
                let batch = batches.find(|batch| {
                    let last = batch.tags.iter().find(|(other, _)| *other == at);
                    last.is_some_and(|(_, last)| *last >= tag)
                });
                if let Some(batch) = batch {
                    batch.mark.reject_one();
                    self.presence.count(connector::RETURNED, 1);
                    let query = batch.queries.iter().find(|q| (q.0, q.1) == (at, tag));
                    if let Some((.., number)) = query {
                        self.queries.fail_pending(*number, Reason::Refused);
                    }
                }
            }
        }
    }

    /// Looks whether messages were lost on their way.
    pub(super) fn look_at_lines(&mut self) {
        for at in 0..self.lines.len() {
            let loss = self.lines.get(at).and_then(|line| line.loss.take());
            match loss {
                Some(Loss::Refusal { why, outstanding }) => self.refused(at, why, outstanding),
                Some(Loss::Connection) => self.lost(at, 0),
                None => {}
            }
        }
    }

    /// Everything that is on its way and not released is taken again; `careful` frames one by one.
    fn lost(&mut self, at: usize, careful: u64) {
        let in_flight = &mut self.in_flight;
        let touched = |batch: &Batch| batch.tags.iter().any(|(other, _)| *other == at);
        if !in_flight.batches.iter().any(touched) {
            return;
        }
        in_flight.batches.clear();
        in_flight.cost = 0;
        in_flight.careful = careful;
        self.outbound.rewind();
    }

    fn refused(&mut self, at: usize, why: String, outstanding: u64) {
        let frames = self.in_flight.batches.iter().map(|batch| batch.frames);
        let all: u64 = frames.sum();
        let alone = all == 1 && outstanding == 1;
        if alone && let Some(mut batch) = self.in_flight.batches.pop_front() {
            self.left_out(at, &why);
            if let Some(line) = self.lines.get(at) {
                line.exchanges.borrow_mut().doubt_last();
            }
            for (.., number) in &batch.queries {
                self.queries.fail_pending(*number, Reason::Refused);
            }
            batch.mark.reject_one();
            self.outbound.release(&batch.mark);
            self.in_flight.cost = 0;
        } else {
            if outstanding == 0 {
                // Without confirms: it was released when it was written.
                self.left_out(at, &why);
            }
            self.lost(at, all);
        }
    }

    /// Says why a message is left out, each reason once.
    fn left_out(&self, at: usize, why: &str) {
        let line = self.lines.get(at);
        if line.is_some_and(|line| line.exchanges.borrow_mut().is_news(why)) {
            let what = format!("it does not take a message, which is left out: {why}");
            self.presence.complained(at, &what);
        } else {
            log::debug!("kazoo: a message is left out: {why}");
        }
    }
}
