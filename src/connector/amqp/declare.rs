//! What a subscription asks of a server: exchanges, a queue, the bindings between them, a consumer.

use super::encode::{put_method, put_short, put_table};
use super::protocol::method;
use crate::kazoo::subscription::{Exchange, Queue, Subscription};
use bytes::{BufMut, BytesMut};

/// The consumer's name: there is one per channel.
pub(super) const CONSUMER: &[u8] = b"sipbus";

/// Appends all of it, in the order in which the server needs it.
pub(super) fn put_subscription(
    out: &mut BytesMut,
    channel: u16,
    subscription: &Subscription,
    prefetch: u16,
) {
    let Subscription {
        exchange,
        exchange_bindings,
        queue,
        routing,
        no_ack,
        ..
    } = subscription;
    put_exchange(out, channel, exchange);
    for binding in exchange_bindings {
        put_exchange(out, channel, &binding.exchange);
    }
    put_queue(out, channel, queue);
    for key in routing {
        put_method(out, channel, method::QUEUE_BIND, |out| {
            out.put_u16(0);
            put_short(out, queue.name.as_bytes());
            put_bound(out, &exchange.name, key);
        });
    }
    for binding in exchange_bindings {
        for key in &binding.routing {
            put_method(out, channel, method::EXCHANGE_BIND, |out| {
                out.put_u16(0);
                put_short(out, exchange.name.as_bytes());
                put_bound(out, &binding.exchange.name, key);
            });
        }
    }
    if !no_ack {
        put_method(out, channel, method::BASIC_QOS, |out| {
            out.put_u32(0);
            out.put_u16(prefetch);
            out.put_u8(0);
        });
    }
    put_method(out, channel, method::BASIC_CONSUME, |out| {
        out.put_u16(0);
        put_short(out, queue.name.as_bytes());
        put_short(out, CONSUMER);
        out.put_u8(u8::from(*no_ack) << 1);
        put_table(out, []);
    });
}

fn put_exchange(out: &mut BytesMut, channel: u16, exchange: &Exchange) {
    put_method(out, channel, method::EXCHANGE_DECLARE, |out| {
        out.put_u16(0);
        put_short(out, exchange.name.as_bytes());
        put_short(out, exchange.kind.as_bytes());
        out.put_u8(
            u8::from(exchange.passive)
                | u8::from(exchange.durable) << 1
                | u8::from(exchange.auto_delete) << 2
                | u8::from(exchange.internal) << 3,
        );
        put_table(out, []);
    });
}

fn put_queue(out: &mut BytesMut, channel: u16, queue: &Queue) {
    put_method(out, channel, method::QUEUE_DECLARE, |out| {
        out.put_u16(0);
        put_short(out, queue.name.as_bytes());
        out.put_u8(
            u8::from(queue.passive)
                | u8::from(queue.durable) << 1
                | u8::from(queue.exclusive) << 2
                | u8::from(queue.auto_delete) << 3,
        );
        put_table(out, []);
    });
}

/// What comes last in both binds: from where, with which key, without arguments.
fn put_bound(out: &mut BytesMut, source: &str, key: &str) {
    put_short(out, source.as_bytes());
    put_short(out, key.as_bytes());
    out.put_u8(0);
    put_table(out, []);
}
