//! Consuming: which route a record runs, what it sees, order, and where a restart goes on.

use rustix::process::Signal;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::kafka::Kafka;
use crate::topic::{Outgoing, Topic};
use crate::{process, turn, wait};

/// Consumes the topic from its beginning, in a group of its own, which soon misses a member that died.
pub(super) fn consuming(kafka: &Kafka, topics: &str, workers: u32) -> Config {
    let line = format!(
        "brokers={};group={topics}-group;topics={topics};workers={workers};t.auto.offset.reset=earliest;g.session.timeout.ms=6000",
        kafka.bootstrap()
    );
    Config::of("event_kafka").text_param("consume", &line)
}

#[test]
fn a_record_shows_all_its_parts() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    kafka
        .records(&topic)
        .publish_all(&[("alice", "hello", &[("Node", "one")])]);
    let kamailio = consuming(&kafka, &topic, 1)
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{
                   xlog("L_INFO", "record: $kafka(topic) $kafka(partition) $kafka(offset) $kafka(key) $kafka(msg) $kafka(header.Node) $kafka(header.node) end\n");
                   if ($kafka(offset) == 0) $var(c) = $shtinc(count=>numbers);
               }}"#
        ))
        .start();
    kamailio.wait_counter("consumed", 1);
    assert_eq!(kamailio.counted("numbers"), 1);
    let log = kamailio.stop();
    let record = kafka.records(&topic).only();
    let expected = format!(
        "record: {topic} {} 0 alice hello one <null> end",
        record.partition
    );
    assert!(log.contains(&expected), "{expected} in\n{log}");
}

#[test]
fn a_record_may_lack_its_key_and_be_empty_or_binary() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let (topic, back) = (kafka.topic(), kafka.topic());
    let records = kafka.records(&topic);
    let all: Vec<u8> = (0..=255).collect();
    records.publish_one(None, Some(&all));
    records.publish_one(Some(&all), Some(b""));
    records.publish_one(Some(b"no value"), None);
    // What the route sees is published again.
    let target = format!("[k1]{}/{back}?g.linger.ms=1", kafka.bootstrap());
    let kamailio = consuming(&kafka, &topic, 1)
        .text_param("broker_id", &target)
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{
                   if ($kafka(key) == $null) kafka_publish("k1", $kafka(msg));
                   else kafka_publish("k1", $kafka(msg), $kafka(key));
               }}"#
        ))
        .start();
    let mut seen: Vec<_> = kafka
        .records(&back)
        .wait_for(3)
        .into_iter()
        .map(|record| (record.key, record.payload))
        .collect();
    seen.sort();
    let expected = [
        (None, all.clone()),
        (Some(all), Vec::new()),
        (Some(b"no value".to_vec()), Vec::new()),
    ];
    assert_eq!(seen, expected);
    kamailio.stop();
}

#[test]
fn the_most_specific_route_runs() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let base = Kafka::name();
    let topics = [".eu.created", ".eu.gone", ".us", ""].map(|end| format!("{base}{end}"));
    for topic in &topics {
        kafka.create(topic);
        kafka.records(topic).publish("k", "v");
    }
    let kamailio = consuming(&kafka, &topics.join(","), 2)
        .routes(&format!(
            r#"event_route[kafka:{base}-eu-created] {{ $var(c) = $shtinc(count=>own); }}
               event_route[kafka:{base}-eu-all] {{ $var(c) = $shtinc(count=>part); }}
               event_route[kafka:{base}-all] {{ $var(c) = $shtinc(count=>base); }}
               event_route[kafka:all] {{ $var(c) = $shtinc(count=>all); }}"#
        ))
        .start();
    kamailio.wait_counter("consumed", 4);
    for name in ["own", "part", "base", "all"] {
        assert_eq!(kamailio.counted(name), 1, "{name}");
    }
    kamailio.stop();
}

#[test]
fn records_without_a_route_are_counted() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    kafka.records(&topic).publish("k", "v");
    let kamailio = consuming(&kafka, &topic, 1)
        .text_param("consume", "brokers=127.0.0.1:1;group=p;topics=^other")
        .routes("event_route[kafka:other] { exit; }")
        .start();
    kamailio.wait_counter("unrouted", 1);
    assert_eq!(kamailio.counter("consumed"), 0);
    let log = kamailio.stop();
    assert!(log.contains("no event route serves"), "{log}");
    // Of a pattern only one route is known to serve all.
    assert!(
        log.contains("topics of ^other that have no event route"),
        "{log}"
    );
}

#[test]
fn records_over_the_inbox_are_left_out_and_counted() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let records = kafka.records(&topic);
    let start = |expected: &str| {
        consuming(&kafka, &topic, 1)
            .before("max_while_loops=10000")
            .number("inbox_size", 65536)
            .number("message_size_max", 16384)
            .routes(&format!(
                r#"event_route[kafka:{topic}] {{
                       while ($sht(count=>go) == 0) usleep("10000");
                       if ($kafka(msg) != "{expected}") $var(c) = $shtinc(count=>others);
                   }}"#
            ))
            .start()
    };
    records.publish("k", "first");
    for _ in 0..5 {
        records.publish("k", &"x".repeat(70_000));
    }
    // They are left out behind a worker that is busy.
    let kamailio = start("first");
    kamailio.wait_counter("received_oversized", 5);
    assert_eq!(kamailio.counter("consumed"), 0);
    kamailio.set("go", 1);
    kamailio.wait_counter("consumed", 1);
    kamailio.stop();
    // Nothing of this comes again.
    records.publish("k", "second");
    let kamailio = start("second");
    kamailio.set("go", 1);
    kamailio.wait_counter("consumed", 1);
    assert_eq!(kamailio.counter("received_oversized"), 0);
    assert_eq!(kamailio.counted("others"), 0);
    kamailio.stop();
}

/// Publishes so many records `writer:number`, numbered from `first`, for every writer, which is the key.
pub(super) fn publish_numbered(topic: &Topic, writers: usize, first: usize, count: usize) {
    let mut records = Vec::new();
    for number in first..first + count {
        for writer in 0..writers {
            records.push((format!("w{writer}"), format!("w{writer}:{number}")));
        }
    }
    let borrowed: Vec<Outgoing<'_>> = records
        .iter()
        .map(|(key, payload)| (key.as_str(), payload.as_str(), &[][..]))
        .collect();
    topic.publish_all(&borrowed);
}

/// Counts how often a record did not follow its predecessor of the same key.
const IN_ORDER: &str = r#"{
    $var(number) = $(kafka(msg){s.select,1,:}{s.int});
    if ($sht(seen=>$kafka(key)) == $null) $sht(seen=>$kafka(key)) = 0;
    if ($var(number) != $sht(seen=>$kafka(key))) $var(c) = $shtinc(count=>disorder);
    $sht(seen=>$kafka(key)) = $var(number) + 1;
}"#;

#[test]
fn records_with_one_key_keep_their_order_over_workers() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    publish_numbered(&kafka.records(&topic), 8, 0, 500);
    let kamailio = consuming(&kafka, &topic, 2)
        .before("modparam(\"htable\", \"htable\", \"seen=>size=6;\")")
        .routes(&format!("event_route[kafka:{topic}] {IN_ORDER}"))
        .start();
    kamailio.wait_counter("consumed", 4000);
    assert_eq!(kamailio.counted("disorder"), 0);
    kamailio.stop();
}

#[test]
fn a_restart_goes_on_where_the_routes_had_ended() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let mut first = 0;
    for count in [100, 50, 1] {
        publish_numbered(&kafka.records(&topic), 1, first, count);
        let kamailio = consuming(&kafka, &topic, 1)
            .routes(&format!(
                r#"event_route[kafka:{topic}] {{
                       $var(number) = $(kafka(msg){{s.select,1,:}}{{s.int}});
                       if ($var(number) < {first}) $var(c) = $shtinc(count=>again);
                   }}"#
            ))
            .start();
        kamailio.wait_counter("consumed", count as u64);
        assert_eq!(kamailio.counted("again"), 0);
        kamailio.stop();
        first += count;
    }
}

#[test]
fn a_killed_engine_loses_no_record() {
    needs!("kamailio", "event_kafka", "kafka");
    let _turn = turn::light();
    let kafka = Kafka::start();
    let topic = kafka.topic();
    let kamailio = consuming(&kafka, &topic, 1)
        .before("modparam(\"htable\", \"htable\", \"seen=>size=12;\")")
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{
                   if ($sht(seen=>$kafka(msg)) == $null) $var(c) = $shtinc(count=>different);
                   $sht(seen=>$kafka(msg)) = 1;
               }}"#
        ))
        .start();
    for round in 0..3 {
        publish_numbered(&kafka.records(&topic), 1, round * 1000, 1000);
        wait::until("some were consumed", || {
            kamailio.counted("different") > round as u64 * 1000
        });
        let engine = kamailio.engine().unwrap();
        process::send(engine, Signal::KILL);
        wait::until("another engine runs", || {
            kamailio.engine().is_some_and(|pid| pid != engine)
        });
    }
    wait::until("all were consumed", || {
        kamailio.counted("different") == 3000
    });
    kamailio.stop();
}
