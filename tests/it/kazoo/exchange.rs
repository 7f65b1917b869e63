//! Exchanges that are missing, or that refuse: only their own messages are left out, and what goes
//! with them arrives exactly once.

use super::broker::{at, shared, start};
use super::bus::{Bus, Consumer};
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::tally::Tally;
use crate::{turn, wait};

/// Requests, and how often each publishes to every exchange.
const REQUESTS: u64 = 20;
const EACH: u64 = 50;
const ALL: u64 = REQUESTS * EACH;

/// Publishes numbers to `good`, and in between one message to each of `bad`.
fn mixing(config: Config, good: &str, bad: &[&str]) -> Config {
    let bad = bad.iter().map(|name| {
        format!(r#"if (kazoo_publish("{name}", "k", "{{}}")) {{ $var(bad) = $var(bad) + 1; }}"#)
    });
    let bad = bad.collect::<String>();
    config.request(&format!(
        r#"if ($rU == "one") {{ {bad} $var(answer) = "sent"; }}
           else {{
               $var(i) = 0; $var(bad) = 0;
               while ($var(i) < {EACH}) {{
                   {bad}
                   if (kazoo_publish("{good}", "k", "{{'N':'$pp:$var(n)'}}")) {{ $var(n) = $var(n) + 1; }}
                   $var(i) = $var(i) + 1;
               }}
               $var(answer) = "bad=" + $var(bad);
           }}"#
    ))
}

/// Counts what arrives at `exchange`, which is made.
fn counting(bus: &Bus, exchange: &str) -> (Tally, Consumer) {
    let tally = Tally::default();
    let queue = format!("{exchange}.q");
    bus.exchange(exchange, "topic");
    bus.queue(&queue);
    bus.bind(&queue, exchange, "#");
    let count = tally.clone();
    let consumer = bus.each(&queue, move |message| {
        count.add(message.json()["N"].as_str().expect("a number").as_bytes());
    });
    (tally, consumer)
}

fn publish_all(kamailio: &Kamailio, bad: u64) {
    let mut sip = kamailio.sip();
    for _ in 0..REQUESTS {
        assert_eq!(sip.message("all", b""), format!("bad={bad}"));
    }
}

/// Errors in the log that name something.
fn errors(log: &str, name: &str) -> usize {
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    errors.filter(|line| line.contains(name)).count()
}

#[test]
fn messages_between_those_for_missing_exchanges_come_once() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let (tally, _consumer) = counting(&bus, "x.good");
    let kamailio = start(mixing(shared(), "x.good", &["x.gone1", "x.gone2"]));
    publish_all(&kamailio, 2 * EACH);
    kamailio.wait_counter("rejected", 2 * ALL);
    kamailio.wait_counter("confirmed", ALL);
    wait::until("all arrived", || tally.unique() as u64 == ALL);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    assert_eq!(kamailio.counter("server_errors"), 2);
    assert_eq!(kamailio.counter("reconnects"), 0);
    let log = kamailio.stop();
    assert_eq!(
        (errors(&log, "x.gone1"), errors(&log, "x.gone2")),
        (1, 1),
        "{log}"
    );
}

#[test]
fn without_confirms_none_is_lost_beside_a_missing_exchange() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let (tally, _consumer) = counting(&bus, "x.free");
    let config = shared().number("publisher_confirms", 0);
    let kamailio = start(mixing(config, "x.free", &["x.gone3"]));
    publish_all(&kamailio, EACH);
    kamailio.wait_counter("rejected", ALL);
    wait::until("all arrived", || tally.unique() as u64 == ALL);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    kamailio.stop();
}

#[test]
fn messages_between_those_that_are_not_permitted_come_once() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let bus = Bus::to(rabbit.port());
    let (tally, _consumer) = counting(&bus, "x.may");
    bus.exchange("x.may.not", "topic");
    rabbit.control(&["add_user", "weak", "secret"]);
    let writes = r"^(kamailio@.*|targeted|x\.may)$";
    rabbit.control(&["set_permissions", "weak", ".*", writes, ".*"]);
    let url = format!("amqp://weak:secret@127.0.0.1:{}", rabbit.port());
    let kamailio = start(mixing(at(&url), "x.may", &["x.may.not"]));
    // The server says that it is not permitted when a message comes.
    assert_eq!(kamailio.sip().message("one", b""), "sent");
    kamailio.wait_counter("rejected", 1);
    publish_all(&kamailio, EACH);
    kamailio.wait_counter("rejected", ALL + 1);
    kamailio.wait_counter("confirmed", ALL);
    wait::until("all arrived", || tally.unique() as u64 == ALL);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    let log = kamailio.stop();
    assert_eq!(errors(&log, "x.may.not"), 1, "{log}");
}

#[test]
fn an_exchange_may_go_and_come_back() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = Bus::to(Rabbit::shared().port());
    let seen = bus.listen("x.back", "topic", "#");
    let kamailio = start(shared().request(
        r#"$var(answer) = "bad";
           if ($rU == "ask") {
               if (!kazoo_query("x.back", "k", "{}")) { $var(answer) = "no"; }
           } else if (kazoo_publish("x.back", "k", "{}")) { $var(answer) = "sent"; }"#,
    ));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("publish", b""), "sent");
    seen.wait_for(1);
    bus.delete_exchange("x.back");
    assert_eq!(sip.message("publish", b""), "sent");
    kamailio.wait_counter("rejected", 1);
    // It fails for what the server says, not by its deadline.
    assert_eq!(sip.message("ask", b""), "no");
    assert_eq!(kamailio.counter("queries_failed"), 1);
    assert_eq!(kamailio.counter("timeouts"), 0);
    let seen = bus.listen("x.back", "topic", "#");
    wait::until("it is found again", || {
        assert_eq!(sip.message("publish", b""), "sent");
        seen.count() > 0
    });
    kamailio.stop();
}

#[test]
fn what_a_full_queue_gives_back_is_counted() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::shared();
    let bus = Bus::to(rabbit.port());
    let policy = r#"{"max-length":1,"overflow":"reject-publish"}"#;
    rabbit.control(&["set_policy", "x.full", r"^x\.full$", policy]);
    bus.exchange("x.full", "topic");
    bus.queue("x.full");
    bus.bind("x.full", "x.full", "#");
    let kamailio = start(
        shared().request(r#"if (kazoo_publish("x.full", "k", "{}")) { $var(answer) = "sent"; }"#),
    );
    let mut sip = kamailio.sip();
    for settled in 1..=5 {
        assert_eq!(sip.message("x", b""), "sent");
        wait::until("it is settled", || {
            kamailio.counter("confirmed") + kamailio.counter("rejected") == settled
        });
    }
    assert!(kamailio.counter("returned") > 0);
    assert_eq!(kamailio.counter("returned"), kamailio.counter("rejected"));
    kamailio.stop();
    bus.delete("x.full");
}
