//! Messages for a cluster that is there, behind others of the same worker for one that is not: they are delivered, counted
//! and reported at once, and never again, whatever ends meanwhile.

use crate::stand::{Cluster, Stand, all_down, all_up, cluster, next, publish, records};
use crate::wait::until;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use sipbus::frame::kafka::To;
use sipbus::kafka::counter::figure;
use sipbus::shm::lane::Lane;
use std::collections::BTreeSet;

const DEAD: To<'_> = To::Target(0);
const ALIVE: To<'_> = To::Target(1);

/// A cluster that is away, with these properties, and one that is there.
fn pair(properties: &str) -> (Cluster, Cluster, Stand) {
    let (dead, alive) = (cluster(), cluster());
    all_down(&dead);
    let stand = Stand::start(&[
        (
            "broker_id",
            &format!("[dead]{}/t{properties}", dead.bootstrap_servers()),
        ),
        (
            "broker_id",
            &format!("[alive]{}/t", alive.bootstrap_servers()),
        ),
    ]);
    (dead, alive, stand)
}

fn publish_all(lane: &mut Lane, to: To<'_>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        publish(lane, to, "w0", &number.to_string(), None);
    }
}

fn texts(cluster: &Cluster, count: usize) -> Vec<String> {
    let found = records(&cluster.bootstrap_servers(), "t", count);
    let mut texts: Vec<_> = found.into_iter().map(|(_, text)| text).collect();
    texts.sort_by_key(|text| text.parse::<usize>().unwrap());
    texts
}

fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[test]
fn what_one_has_is_counted_and_reported_at_once() {
    let (dead, _alive, stand) = pair("");
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    publish(&mut lane, DEAD, "w0", "waits", Some(1));
    for number in 0..5 {
        publish(&mut lane, ALIVE, "w0", &number.to_string(), Some(2));
    }
    for _ in 0..5 {
        assert_eq!(next(&reports).route, 2);
    }
    until("they are counted", || stand.counter("delivered") == 5);
    until("they are shown", || {
        [figure::TAKEN, figure::DELIVERED].map(|slot| stand.figure(1, slot)) == [5, 5]
    });
    assert_eq!(stand.figure(0, figure::TAKEN), 1);
    all_up(&dead);
    assert_eq!(next(&reports).route, 1);
    until("the other is, too", || stand.counter("delivered") == 6);
}

#[test]
fn a_killed_engine_sends_none_of_them_again() {
    let (dead, alive, mut stand) = pair("");
    let mut lane = stand.lane(0);
    publish_all(&mut lane, DEAD, 0..1);
    publish_all(&mut lane, ALIVE, 0..200);
    publish_all(&mut lane, DEAD, 1..3);
    until("one has all", || stand.counter("delivered") == 200);
    for _ in 0..2 {
        stand.kill();
        stand.start_engine();
    }
    publish_all(&mut lane, ALIVE, 200..400);
    until("one has the others", || stand.counter("delivered") == 400);
    stand.kill();
    all_up(&dead);
    stand.start_engine();
    stand.drain();
    assert_eq!(stand.counter("delivered"), 403);
    assert_eq!(texts(&alive, 400), numbers(0..400));
    // Nobody has said whether the cluster has what was on its way to it.
    let different: BTreeSet<_> = texts(&dead, 3).into_iter().collect();
    assert_eq!(different, numbers(0..3).into_iter().collect());
}

#[test]
fn a_library_that_gives_up_sends_none_of_them_again() {
    let (_dead, alive, mut stand) = pair("");
    let mut lane = stand.lane(0);
    publish_all(&mut lane, DEAD, 0..1);
    publish_all(&mut lane, ALIVE, 0..100);
    until("one has all", || stand.counter("delivered") == 100);
    let desync = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    alive.request_errors(RDKafkaApiKey::Produce, &[desync]);
    publish_all(&mut lane, ALIVE, 100..101);
    until("it gives up", || stand.counter("server_errors") > 0);
    until("new ones go on", || stand.counter("delivered") == 101);
    assert_eq!(texts(&alive, 101), numbers(0..101));
    stand.kill();
}

#[test]
fn one_whose_library_is_full_holds_its_own_workers_up_only() {
    let (dead, alive, mut stand) = pair("?g.queue.buffering.max.messages=5");
    let (mut full, mut other) = (stand.lane(0), stand.lane(1));
    publish_all(&mut full, DEAD, 0..8);
    until("it is full", || stand.figure(0, figure::TAKEN) == 5);
    publish_all(&mut other, ALIVE, 0..1000);
    until("one has all", || stand.counter("delivered") == 1000);
    all_up(&dead);
    until("the other, too", || stand.counter("delivered") == 1008);
    stand.drain();
    assert_eq!(texts(&alive, 1000), numbers(0..1000));
    assert_eq!(texts(&dead, 8), numbers(0..8));
}

#[test]
fn what_the_library_never_has_room_for_is_given_up() {
    let cluster = cluster();
    let socket = format!(
        "[k]{}/t?g.queue.buffering.max.kbytes=1",
        cluster.bootstrap_servers()
    );
    let mut stand = Stand::start(&[("broker_id", &socket)]);
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    for (text, route) in [("1", 1), (&*"2".repeat(2000), 2), ("3", 3)] {
        publish(&mut lane, To::Target(0), "k", text, Some(route));
    }
    let seen: BTreeSet<_> = (0..3)
        .map(|_| next(&reports))
        .map(|seen| (seen.route, seen.delivered))
        .collect();
    assert_eq!(seen, [(1, true), (2, false), (3, true)].into());
    stand.drain();
    assert_eq!(
        (stand.counter("delivered"), stand.counter("rejected")),
        (2, 1)
    );
}
