//! Queue groups: workers and servers of one group share the messages, different groups do not.

use std::collections::HashSet;

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::{turn, wait};

#[test]
fn two_workers_of_a_queue_group_share_the_work() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "work:group")
        .nats("subject_queue_group", "work:group")
        .routes(r#"event_route[nats:work] { nats_publish("seen", "$pp:$natsData"); }"#)
        .start()
        .connected();
    for number in 0..2000 {
        seen.publish("work", number.to_string());
    }
    seen.wait_for(2000);
    kamailio.wait_counter("consumed", 2000);
    seen.settle();
    let texts = seen.texts();
    let pairs: Vec<_> = texts
        .iter()
        .filter_map(|text| text.split_once(':'))
        .collect();
    let numbers: HashSet<_> = pairs.iter().map(|pair| pair.1).collect();
    let workers: HashSet<_> = pairs.iter().map(|pair| pair.0).collect();
    assert_eq!(
        (texts.len(), numbers.len()),
        (2000, 2000),
        "each message once"
    );
    assert_eq!(workers.len(), 2, "both workers took part");
    kamailio.stop();
}

#[test]
fn two_kamailios_in_a_queue_group_share_the_work() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let start = || {
        Config::at(&nats.url())
            .nats("subject_queue_group", "work:group")
            .routes(r#"event_route[nats:work] { nats_publish("seen", "$natsData"); }"#)
            .start()
            .connected()
    };
    let (one, two) = (start(), start());
    for number in 0..500 {
        seen.publish("work", number.to_string());
    }
    seen.wait_for(500);
    wait::until("all are counted", || {
        one.counter("consumed") + two.counter("consumed") == 500
    });
    assert!(one.counter("consumed") > 0 && two.counter("consumed") > 0);
    seen.settle();
    assert_eq!(seen.count(), 500, "each message once");
    one.stop();
    two.stop();
}

#[test]
fn different_queue_groups_each_get_every_message() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "news:first")
        .nats("subject_queue_group", "news:second")
        .routes(r#"event_route[nats:news] { nats_publish("seen", "$pp"); }"#)
        .start()
        .connected();
    seen.publish("news", "x");
    let workers: HashSet<String> = seen.wait_for(2).iter().map(text).collect();
    assert_eq!(workers.len(), 2);
    kamailio.stop();
}
