//! Consuming: order per partition, and where it goes on.

use crate::stand::{Cluster, Seen, Stand, cluster, next};
use crate::wait::{until, watchdog};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sipbus::kafka::counter::figure;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Publishes `count` numbers from `first` on, for each of eight keys.
fn produce(cluster: &Cluster, topic: &str, first: usize, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .create()
        .unwrap();
    for number in first..first + count {
        for writer in 0..8 {
            let (key, text) = (format!("w{writer}"), number.to_string());
            let record = BaseRecord::to(topic).key(&key).payload(&text);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

fn line(cluster: &Cluster, workers: usize) -> String {
    format!(
        "brokers={};group=g;topics=t;workers={workers};t.auto.offset.reset=earliest;g.session.timeout.ms=6000;g.auto.commit.interval.ms=100;g.heartbeat.interval.ms=500",
        cluster.bootstrap_servers()
    )
}

/// The offsets that the group has stored, added up.
fn committed(cluster: &Cluster) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "g")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some("t"), watchdog()).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition("t", partition.id());
    }
    let found = consumer.committed_offsets(list, watchdog()).unwrap();
    let offsets = found.elements();
    offsets
        .iter()
        .filter_map(|each| each.offset().to_raw().filter(|at| *at > 0))
        .sum()
}

/// Collects until there are so many different ones; how often any came.
fn collect(workers: &[Receiver<Seen>], all: &mut Vec<Seen>, count: usize) {
    let mut different: BTreeSet<_> = all.iter().map(|s| (s.partition, s.offset)).collect();
    until("all are consumed", || {
        for seen in workers.iter().flat_map(Receiver::try_iter) {
            different.insert((seen.partition, seen.offset));
            all.push(seen);
        }
        different.len() >= count
    });
}

#[test]
fn partitions_keep_their_order_and_their_worker() {
    let cluster = cluster();
    produce(&cluster, "t", 0, 1000);
    let stand = Stand::start(&[("consume", &line(&cluster, 2))]);
    // Inbox 0 is the report worker's.
    let workers = [stand.worker(1), stand.worker(2)];
    let mut parts: BTreeMap<i32, usize> = BTreeMap::new();
    let mut keys: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    until("all are consumed", || {
        for (worker, seen) in workers
            .iter()
            .enumerate()
            .flat_map(|(i, w)| w.try_iter().map(move |s| (i, s)))
        {
            assert_eq!(*parts.entry(seen.partition).or_insert(worker), worker);
            let next = keys.entry(seen.key.unwrap()).or_insert(0);
            assert_eq!(seen.text, next.to_string());
            assert_eq!(seen.topic, "t");
            *next += 1;
            total += 1;
        }
        total == 8000
    });
}

#[test]
fn a_restart_goes_on_behind_what_was_handled() {
    let cluster = cluster();
    produce(&cluster, "t", 0, 100);
    let mut stand = Stand::start(&[("consume", &line(&cluster, 1))]);
    let worker = [stand.worker(1)];
    let mut all = Vec::new();
    collect(&worker, &mut all, 800);
    stand.drain();
    produce(&cluster, "t", 100, 100);
    stand.start_engine();
    collect(&worker, &mut all, 1600);
    stand.drain();
    stand.start_engine();
    produce(&cluster, "t", 200, 1);
    collect(&worker, &mut all, 1608);
    assert_eq!(all.len(), 1608, "some were consumed twice");
}

#[test]
fn a_killed_engine_loses_no_record() {
    let cluster = cluster();
    let lines = [("consume", &*line(&cluster, 1)), ("event_sockets_max", "0")];
    let mut stand = Stand::start(&lines);
    let worker = [stand.worker(1)];
    let mut all = Vec::new();
    for round in 0..3 {
        produce(&cluster, "t", round * 100, 100);
        all.push(next(&worker[0]));
        stand.kill();
        stand.start_engine();
    }
    collect(&worker, &mut all, 2400);
    // What the engines before have handled is counted, too.
    until("all are counted", || {
        stand.figure(0, figure::DELIVERED) >= 2400
    });
}

#[test]
fn brokers_lost_and_found_again_lose_no_record() {
    let cluster = cluster();
    produce(&cluster, "t", 0, 100);
    let stand = Stand::start(&[("consume", &line(&cluster, 1))]);
    let worker = [stand.worker(1)];
    let mut all = Vec::new();
    collect(&worker, &mut all, 800);
    for id in 1..=3 {
        cluster.broker_down(id).unwrap();
    }
    until("the loss is seen", || !stand.is_connected());
    for id in 1..=3 {
        cluster.broker_up(id).unwrap();
    }
    produce(&cluster, "t", 100, 100);
    collect(&worker, &mut all, 1600);
}

#[test]
fn a_second_member_gets_its_share_and_nothing_is_lost() {
    let cluster = cluster();
    produce(&cluster, "t", 0, 100);
    let first = Stand::start(&[("consume", &line(&cluster, 1))]);
    let mut workers = vec![first.worker(1)];
    let mut all = Vec::new();
    collect(&workers, &mut all, 800);
    until("the offsets are there", || committed(&cluster) == 800);
    let mut second = Stand::start(&[("consume", &line(&cluster, 1))]);
    workers.push(second.worker(1));
    let mut sent = 100;
    let mut shared = Vec::new();
    until("the second consumes", || {
        produce(&cluster, "t", sent, 10);
        sent += 10;
        shared.extend(workers[1].try_iter());
        !shared.is_empty()
    });
    all.append(&mut shared);
    collect(&workers, &mut all, sent * 8);
    // The mock cluster takes no offsets while members join, as real ones do: only what was committed
    // before is sure not to come twice.
    let early = all
        .iter()
        .filter(|seen| seen.text.parse::<usize>().unwrap() < 100);
    assert_eq!(early.count(), 800, "some were consumed twice");
    second.drain();
    produce(&cluster, "t", sent, 10);
    collect(&workers, &mut all, sent * 8 + 80);
    assert!(first.counter("rebalances") >= 3);
}
