//! Clusters that fail: what was accepted arrives all the same, or is reported as lost.

use crate::stand::{
    BROKERS, Stand, all_down, all_up, cluster, next, publish, publish_number, records,
    whole_and_in_order,
};
use crate::wait::until;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use sipbus::frame::kafka::To;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn errors_of_the_cluster_lose_nothing_and_change_no_order() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE as NO_LEADER,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as NO_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as TIMED_OUT,
    };
    let cluster = cluster();
    let socket = format!(
        "[k]{}/t?g.linger.ms=1&g.retry.backoff.ms=10&g.retry.backoff.max.ms=50",
        cluster.bootstrap_servers()
    );
    let stand = Stand::start(&[("broker_id", &socket)]);
    let mut lanes = [stand.lane(0), stand.lane(1)];
    for number in 0..3000 {
        if number % 500 == 250 {
            let errors = [NOT_LEADER, TIMED_OUT, NO_REPLICAS, NO_LEADER];
            cluster.request_errors(RDKafkaApiKey::Produce, &errors);
        }
        for (writer, lane) in lanes.iter_mut().enumerate() {
            publish_number(lane, writer, number);
        }
    }
    until("all are delivered", || stand.counter("delivered") == 6000);
    assert_eq!(stand.counter("rejected"), 0);
    whole_and_in_order(&records(&cluster.bootstrap_servers(), "t", 6000), 2, 3000);
}

#[test]
fn restarts_of_all_brokers_lose_nothing_and_change_no_order() {
    let cluster = cluster();
    let socket = format!(
        "[k]{}/t?g.reconnect.backoff.max.ms=200",
        cluster.bootstrap_servers()
    );
    let stand = Stand::start(&[("broker_id", &socket)]);
    let mut lanes = [stand.lane(0), stand.lane(1)];
    for number in 0..3000_usize {
        for (writer, lane) in lanes.iter_mut().enumerate() {
            publish_number(lane, writer, number);
        }
        match number {
            500 | 1500 => {
                until("the brokers are used", || stand.is_connected());
                all_down(&cluster);
            }
            1000 | 2000 => {
                until("the loss is seen", || !stand.is_connected());
                all_up(&cluster);
            }
            _ => {}
        }
    }
    until("all are delivered", || stand.counter("delivered") == 6000);
    whole_and_in_order(&records(&cluster.bootstrap_servers(), "t", 6000), 2, 3000);
}

#[test]
fn a_cluster_that_went_away_is_not_said_to_be_there() {
    let cluster = cluster();
    let socket = format!(
        "[k]{}/t?t.message.timeout.ms=2000&g.statistics.interval.ms=0",
        cluster.bootstrap_servers()
    );
    let stand = Stand::start(&[("broker_id", &socket)]);
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    publish(&mut lane, To::Target(0), "k", "before", Some(1));
    assert!(next(&reports).delivered);
    until("the cluster is used", || stand.is_connected());
    all_down(&cluster);
    publish(&mut lane, To::Target(0), "k", "lost", Some(1));
    until("the loss is seen", || !stand.is_connected());
    // Meanwhile the library goes on trying.
    assert!(!next(&reports).delivered);
    assert!(!stand.is_connected());
}

#[test]
fn throttling_and_slow_brokers_lose_nothing() {
    let cluster = cluster();
    let socket = format!("[k]{}/t", cluster.bootstrap_servers());
    for id in BROKERS {
        let delay = Duration::from_millis(100);
        cluster.broker_round_trip_time(id, delay).unwrap();
    }
    let throttled = RDKafkaRespErr::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED;
    cluster.request_errors(RDKafkaApiKey::Metadata, &[throttled; 2]);
    let mut stand = Stand::start(&[("broker_id", &socket)]);
    let mut lane = stand.lane(0);
    for number in 0..2000 {
        publish_number(&mut lane, 0, number);
    }
    stand.drain();
    assert_eq!(stand.counter("delivered"), 2000);
    whole_and_in_order(&records(&cluster.bootstrap_servers(), "t", 2000), 1, 2000);
}

#[test]
fn what_cannot_be_delivered_in_its_time_is_reported() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    all_down(&cluster);
    let away = format!("[away]{bootstrap}/t?t.message.timeout.ms=300&g.linger.ms=1");
    let stand = Stand::start(&[("broker_id", &away)]);
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    for number in 0..20_u32 {
        publish(
            &mut lane,
            To::Target(0),
            "k",
            &number.to_string(),
            Some(number),
        );
    }
    for number in 0..20_u32 {
        let seen = next(&reports);
        assert!(!seen.delivered, "{seen:?}");
        assert!(!seen.error.is_empty(), "{seen:?}");
        assert_eq!((seen.partition, seen.offset), (-1, -1));
        assert_eq!(seen.text, number.to_string());
    }
    until("frames leave their lane", || {
        stand.counter("rejected") == 20
    });
    all_up(&cluster);
    let mut sent = 20;
    until("the cluster is used again", || {
        publish(&mut lane, To::Target(0), "k", &sent.to_string(), Some(sent));
        sent += 1;
        next(&reports).delivered
    });
}

#[test]
fn what_the_library_refuses_at_once_is_reported() {
    let cluster = cluster();
    let socket = format!(
        "[k]{}/t?g.message.max.bytes=1000",
        cluster.bootstrap_servers()
    );
    let stand = Stand::start(&[("broker_id", &socket)]);
    let reports = stand.worker(0);
    let mut lane = stand.lane(0);
    publish(&mut lane, To::Target(0), "k", &"x".repeat(2000), Some(1));
    publish(&mut lane, To::Target(0), "k", &"x".repeat(2000), None);
    publish(&mut lane, To::Target(0), "k", "small", Some(2));
    let seen = next(&reports);
    assert!(!seen.delivered && seen.error.contains("size"), "{seen:?}");
    assert!(next(&reports).delivered);
    until("all leave their lane", || {
        (stand.counter("delivered"), stand.counter("rejected")) == (1, 2)
    });
}

#[test]
fn a_dead_cluster_holds_no_other_up() {
    let (dead, alive) = (cluster(), cluster());
    all_down(&dead);
    let sockets = [&dead, &alive].map(|cluster| cluster.bootstrap_servers());
    let stand = Stand::start(&[
        ("broker_id", &format!("[dead]{}/t", sockets[0])),
        ("broker_id", &format!("[alive]{}/t", sockets[1])),
    ]);
    publish(&mut stand.lane(0), To::Target(0), "w0", "0", None);
    let mut lane = stand.lane(1);
    for number in 0..1000 {
        publish(&mut lane, To::Target(1), "w0", &number.to_string(), None);
    }
    until("one cluster has all", || stand.counter("delivered") == 1000);
    all_up(&dead);
    until("the other has its own", || {
        stand.counter("delivered") == 1001
    });
}

#[test]
fn a_library_that_gives_up_is_made_anew_and_loses_nothing() {
    let cluster = cluster();
    let socket = format!("[k]{}/t", cluster.bootstrap_servers());
    let stand = Stand::start(&[("broker_id", &socket)]);
    let mut lane = stand.lane(0);
    for number in 0..100 {
        publish_number(&mut lane, 0, number);
    }
    until("the cluster is used", || stand.counter("delivered") == 100);
    // The idempotent producer cannot go on from there: it does not know what the cluster has.
    let desync = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    cluster.request_errors(RDKafkaApiKey::Produce, &[desync]);
    for number in 100..1000 {
        publish_number(&mut lane, 0, number);
    }
    until("all are delivered or given up", || {
        stand.counter("delivered") + stand.counter("rejected") == 1000
    });
    assert_eq!(stand.counter("rejected"), 0);
    assert!(stand.counter("server_errors") > 0, "nothing was fatal");
    let found = records(&cluster.bootstrap_servers(), "t", 1000);
    let different: BTreeSet<_> = found.iter().map(|(_, text)| text).collect();
    assert_eq!(different.len(), 1000);
}
