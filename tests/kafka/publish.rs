//! Publishing: what is accepted arrives, and is reported.

use crate::stand::{Stand, cluster, next, publish, publish_number, records, whole_and_in_order};
use crate::wait::until;
use sipbus::frame::kafka::To;
use sipbus::kafka::counter::figure;
use std::collections::BTreeSet;

#[test]
fn every_message_arrives_once_and_in_order() {
    let cluster = cluster();
    let socket = format!("[k]{}/t?g.linger.ms=1", cluster.bootstrap_servers());
    let stand = Stand::start(&[("broker_id", &socket)]);
    let mut lanes = [stand.lane(0), stand.lane(1), stand.lane(2)];
    for number in 0..5000 {
        for (writer, lane) in lanes.iter_mut().enumerate() {
            publish_number(lane, writer, number);
        }
    }
    until("all are delivered", || stand.counter("delivered") == 15_000);
    assert_eq!(stand.counter("rejected"), 0);
    assert_eq!(stand.figure(0, figure::TAKEN), 15_000);
    until("the table says so", || {
        stand.figure(0, figure::DELIVERED) == 15_000
    });
    let found = records(&cluster.bootstrap_servers(), "t", 15_000);
    assert_eq!(found.len(), 15_000);
    whole_and_in_order(&found, 3, 5000);
}

#[test]
fn each_report_comes_once_and_says_where_the_record_lies() {
    let cluster = cluster();
    let socket = format!("[k]{}/t", cluster.bootstrap_servers());
    let stand = Stand::start(&[("broker_id", &socket)]);
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    for number in 0..1000_u32 {
        publish(
            &mut lane,
            To::Target(0),
            "key",
            &number.to_string(),
            Some(number),
        );
    }
    let mut places = BTreeSet::new();
    for number in 0..1000_u32 {
        let seen = next(&reports);
        assert!(seen.delivered, "{seen:?}");
        assert_eq!(
            (seen.route, seen.text.as_str()),
            (number, number.to_string().as_str())
        );
        assert_eq!(seen.key.as_deref(), Some("key"));
        places.insert((seen.partition, seen.offset));
    }
    assert_eq!(places.len(), 1000);
    until("frames leave their lane", || {
        stand.counter("delivered") == 1000
    });
    assert!(reports.try_recv().is_err(), "a report came twice");
}

#[test]
fn a_stop_delivers_what_was_accepted() {
    let cluster = cluster();
    let socket = format!("[k]{}/t?g.linger.ms=200", cluster.bootstrap_servers());
    let mut stand = Stand::start(&[("broker_id", &socket)]);
    let mut lane = stand.lane(0);
    for number in 0..3000 {
        publish_number(&mut lane, 0, number);
    }
    stand.drain();
    assert_eq!(stand.counter("delivered"), 3000);
    let found = records(&cluster.bootstrap_servers(), "t", 3000);
    whole_and_in_order(&found, 1, 3000);
}

#[test]
fn a_killed_engine_loses_nothing() {
    let cluster = cluster();
    let socket = format!("[k]{}/t", cluster.bootstrap_servers());
    let mut stand = Stand::start(&[("broker_id", &socket)]);
    let mut lane = stand.lane(0);
    for round in 0..3 {
        for number in 0..2000 {
            publish_number(&mut lane, 0, round * 2000 + number);
        }
        stand.kill();
        stand.start_engine();
    }
    until("all are delivered", || stand.counter("delivered") == 6000);
    let found = records(&cluster.bootstrap_servers(), "t", 6000);
    let different: BTreeSet<_> = found.iter().map(|(_, text)| text).collect();
    assert_eq!(different.len(), 6000);
}

#[test]
fn a_full_library_makes_messages_wait() {
    let cluster = cluster();
    let properties = "g.queue.buffering.max.messages=10&g.linger.ms=5";
    let socket = format!("[k]{}/t?{properties}", cluster.bootstrap_servers());
    let stand = Stand::start(&[("broker_id", &socket)]);
    let mut lane = stand.lane(0);
    for number in 0..500 {
        publish_number(&mut lane, 0, number);
    }
    until("all are delivered", || stand.counter("delivered") == 500);
    let found = records(&cluster.bootstrap_servers(), "t", 500);
    whole_and_in_order(&found, 1, 500);
}

#[test]
fn sockets_of_events_are_made_as_they_come_up_to_a_number() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let stand = Stand::start(&[("event_sockets_max", "2")]);
    let mut lane = stand.lane(0);
    let sockets = ["a", "b", "c"].map(|topic| format!("kafka:{bootstrap}/{topic}?t.acks=1"));
    for number in 0..100 {
        for socket in &sockets {
            let text = number.to_string();
            publish(&mut lane, To::Socket(socket.as_bytes()), "w0", &text, None);
        }
        publish(&mut lane, To::Socket(b"kafka:nonsense"), "w0", "x", None);
    }
    until("the first two are delivered", || {
        stand.counter("delivered") == 200
    });
    until("others are left out", || stand.counter("rejected") == 200);
    assert_eq!(stand.counter("sockets_refused"), 2);
    for topic in ["a", "b"] {
        whole_and_in_order(&records(&bootstrap, topic, 100), 1, 100);
    }
}
