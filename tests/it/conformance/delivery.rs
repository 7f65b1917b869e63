//! What arrives, and what is refused.

use super::load;
use super::peer::{Peer, Reach, present};
use crate::kamailio::WORKERS;
use crate::{turn, wait};

pub(crate) fn each_message_arrives_once_and_in_order<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    const EACH: u32 = 2000;
    let mut peer = P::start(Reach::Steady);
    let kamailio = load::insisting(&peer, peer.config()).start();
    peer.joined(&kamailio);
    load::from_all_workers(&kamailio, EACH);
    load::all_once(&mut peer, (WORKERS * EACH) as usize);
    kamailio.stop();
    load::all_once(&mut peer, (WORKERS * EACH) as usize);
}

pub(crate) fn an_oversized_message_is_refused_and_the_next_is_not<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let mut peer = P::start(Reach::Steady);
    let publish = peer.publish("$rb");
    let kamailio = peer
        .config()
        .number("message_size_max", 4096)
        .request(&format!(r#"{publish}; $var(answer) = "rc=" + $rc;"#))
        .start();
    peer.joined(&kamailio);
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", &[b'x'; 4097]), "rc=-1");
    assert_eq!(kamailio.counter("refused_oversized"), 1);
    assert_eq!(sip.message("x", &vec![b'x'; P::LARGEST]), "rc=1");
    wait::until("the other one arrived", || peer.count() == 1);
    assert_eq!(peer.arrived(), [vec![b'x'; P::LARGEST]]);
    kamailio.stop();
}

pub(crate) fn empty_and_binary_messages_arrive_whole_or_are_refused<P: Peer>() {
    if !present::<P>(&[]) {
        return;
    }
    let _turn = turn::light();
    let mut peer = P::start(Reach::Steady);
    let (empty, body) = (peer.publish("$var(none)"), peer.publish("$rb"));
    let kamailio = peer
        .config()
        .request(&format!(
            r#"$var(none) = "";
               if ($rU == "empty") {{ {empty}; $var(answer) = "rc=" + $rc; }}
               else {{ {body}; $var(answer) = "rc=" + $rc; }}"#
        ))
        .start();
    peer.joined(&kamailio);
    let bytes: Vec<u8> = (0..=255).collect();
    let messages = [
        ("empty", Vec::new(), P::EMPTY),
        ("binary", bytes, P::BINARY),
    ];
    let (mut expected, mut refused) = (Vec::new(), 0);
    let mut sip = kamailio.sip();
    for (user, payload, allowed) in messages {
        let answer = sip.message(user, &payload);
        assert_eq!(answer, if allowed { "rc=1" } else { "rc=-1" }, "{user}");
        refused += u64::from(!allowed);
        expected.extend(allowed.then_some(payload));
        assert_eq!(kamailio.counter("refused_invalid"), refused);
    }
    assert_eq!(sip.message("text", b"text"), "rc=1");
    expected.push(b"text".to_vec());
    wait::until("the allowed ones arrived", || {
        peer.count() >= expected.len()
    });
    // They came from several processes, between which there is no order.
    let mut arrived = peer.arrived();
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected);
    kamailio.stop();
}
