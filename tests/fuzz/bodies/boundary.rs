//! The C boundary, called as shims call it, with texts of any bytes and lengths.
#![allow(unsafe_code, reason = "the other side of the C boundary")]

mod calls;
mod evapi;
mod events;
mod kafka;
mod kazoo;
mod nats;
mod operators;
mod stand;

use calls::Calls;
use stand::Stand;

/// Calls, each a byte that says which, and its texts. What was accepted lies in the lane as it was
/// given; what lies in an inbox comes out as it was put there.
pub(crate) fn boundary(input: &[u8]) {
    STAND.with(|stand| {
        let mut calls = Calls::new(input);
        let mut left = events::Left::default();
        while let Some(call) = calls.byte() {
            match call % 17 {
                0 => nats::publish(stand, &mut calls),
                1 => kazoo::publish(stand, &mut calls),
                2 => kazoo::query(stand, &mut calls),
                3 => kazoo::look(&mut calls),
                4 => kazoo::encode(&mut calls),
                5 => kazoo::subscribe(&mut calls),
                6 => kazoo::presence(&mut calls),
                7 => evapi::relay(stand, &mut calls),
                8 => nats::event(stand, &mut calls),
                9 => kazoo::event(stand, &mut calls),
                10 => evapi::event(stand, &mut calls),
                11 => kafka::publish(stand, &mut calls),
                12 => kafka::send(stand, &mut calls),
                13 => kafka::event(stand, &mut calls),
                14 => events::subscribe(&mut left, &mut calls),
                15 => events::raise(stand, &mut left, &mut calls),
                _ => operators::ask(stand, &mut calls),
            }
        }
    });
}

thread_local! {
    static STAND: Stand = Stand::start();
}
