//! Frames on their way into the lines' buffers: to which server, and whether they may go now.

use super::encode::{Content, put_content};
use super::exchange::Passage;
use super::line::{CHANNEL, Line};
use super::presence::Presence;
use super::query::Queries;
use crate::frame::kazoo::{Order, PRIMARY, Publish, Query, Reason};
use crate::kazoo::payload;
use crate::link::{Mark, Verdict};
use std::rc::Rc;

/// Cost of the frames of a batch.
pub(super) const BATCH_COST: usize = 16 * 1024;

/// A frame costs its bytes, but no less than this: many small ones are as many duplicates.
const FRAME_COST_MIN: usize = 256;

/// Frames that were taken from the lanes in one turn.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) mark: Mark,
    /// By line, the last of its messages.
    pub(super) tags: Vec<(usize, u64)>,
    pub(super) cost: usize,
    /// Frames sent.
    pub(super) frames: u64,
    /// The queries among them: line, tag, number.
    pub(super) queries: Vec<(usize, u64, u64)>,
}

/// Encodes frames into their lines.
pub(super) struct Sender<'a> {
    /// Where messages go whose server was not chosen.
    pub(super) first: &'a Line,
    pub(super) lines: &'a [Rc<Line>],
    pub(super) presence: &'a Presence,
    pub(super) queries: &'a Queries,
    pub(super) body: &'a mut Vec<u8>,
    pub(super) batch: &'a mut Batch,
    /// Nothing is on its way.
    pub(super) idle: bool,
    /// A server was asked for an exchange.
    pub(super) waits: bool,
    /// A message is to be alone on its way.
    pub(super) fences: bool,
}

impl Sender<'_> {
    pub(super) fn encode(&mut self, frame: &[u8]) -> Verdict {
        match Order::parse(frame) {
            Some(Order::Publish(publish)) => self.publish(&publish),
            Some(Order::Query(query)) => self.query(&query),
            None => {
                log::error!("kazoo: a frame that cannot be read is left out");
                Verdict::Rejected
            }
        }
    }

    fn publish(&mut self, publish: &Publish<'_>) -> Verdict {
        let line = match publish.server {
            PRIMARY => Some(self.first),
            number => self
                .lines
                .get(usize::from(number - 1))
                .map(Rc::as_ref)
                .filter(|line| line.is_usable()),
        };
        let Some(line) = line else {
            self.missed(publish.server);
            return Verdict::Rejected;
        };
        let content = Content {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            body: publish.body,
            headers: publish.headers,
        };
        self.send(line, &content, publish.needs_server_id)
    }

    /// A message is for a server that is not there: others must not wait for it.
    fn missed(&self, server: u16) {
        let line = self.lines.get(usize::from(server).wrapping_sub(1));
        if line.is_some_and(|line| !line.missed.replace(true)) {
            log::warn!("kazoo: server {server} is not there: messages for it are left out");
        }
    }

    fn query(&mut self, query: &Query<'_>) -> Verdict {
        let ready = |line: &&Rc<Line>| line.is_usable() && self.presence.takes_queries(line.index);
        let Some(line) = self.lines.iter().find(ready) else {
            self.queries.fail(query, Reason::Unconnected);
            return Verdict::Obeyed;
        };
        let Some(number) = self.queries.enter(query) else {
            return Verdict::Obeyed;
        };
        let content = Content {
            exchange: query.exchange,
            routing_key: query.routing_key,
            body: query.body,
            headers: query.headers,
        };
        let line = Rc::clone(line);
        let verdict = self.send(&line, &content, query.needs_server_id);
        match verdict {
            Verdict::Sent(_) => {
                let tag = line.tags.borrow().given();
                self.batch.queries.push((line.index, tag, number));
            }
            Verdict::Rejected => self.queries.fail_pending(number, Reason::Refused),
            Verdict::Obeyed | Verdict::Later => {}
        }
        verdict
    }

    fn send(&mut self, line: &Line, content: &Content<'_>, needs_server_id: bool) -> Verdict {
        let passage = line.exchanges.borrow_mut().passage(content.exchange);
        match passage {
            Passage::Free => {}
            Passage::Closed => return Verdict::Rejected,
            Passage::Wait => {
                self.waits = true;
                line.written.notify_one();
                return Verdict::Later;
            }
            Passage::Alone => {
                self.fences = true;
                if !self.idle || self.batch.frames > 0 {
                    return Verdict::Later;
                }
                line.exchanges.borrow_mut().sends_alone(content.exchange);
            }
        }
        self.body.clear();
        let body = if needs_server_id && !line.server_id.is_empty() {
            payload::with_server_id(content.body, &line.server_id, self.body);
            self.body.as_slice()
        } else {
            content.body
        };
        let content = Content { body, ..*content };
        let mut output = line.output.borrow_mut();
        let before = output.len();
        put_content(&mut output, CHANNEL, &content, line.frame_max.get());
        let tag = line.tags.borrow_mut().give();
        let tags = &mut self.batch.tags;
        match tags.iter_mut().find(|(at, _)| *at == line.index) {
            Some((_, last)) => *last = tag,
            None => tags.push((line.index, tag)),
        }
        let cost = (output.len() - before).max(FRAME_COST_MIN);
        self.batch.cost += cost;
        self.batch.frames += 1;
        // One that is alone ends its batch.
        Verdict::Sent(if self.fences { BATCH_COST } else { cost })
    }
}
