//! From where `kazoo_publish` works, and to which queue and server it sends.

use serde_json::json;

use super::{bus, publishing};
use crate::kazoo::broker::{self, connected, shared, start};
use crate::kazoo::bus::{Bus, Message};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

#[test]
fn the_default_exchange_reaches_a_queue() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let bus = bus();
    bus.queue("f.default");
    let seen = bus.consume("f.default");
    let kamailio = start(shared().request(&publishing("")));
    assert_eq!(kamailio.sip().message("f.default", b"{}"), "rc=1");
    assert_eq!(seen.only().json()["App-Name"], "kamailio");
    kamailio.stop();
}

#[test]
fn a_timer_an_event_and_an_rpc_publish() {
    needs!("kamailio", "kazoo", "rabbitmq", "rtimer.so", "tm.so");
    let _turn = turn::light();
    let bus = bus();
    let seen = bus.listen("f.from", "topic", "#");
    let kamailio = start(shared().before("loadmodule \"tm.so\"").ticking().routes(
        r##"route[TICK] { kazoo_publish("f.from", "timer", "{}"); }
               event_route[tm:local-request] { kazoo_publish("f.from", "rpc", "{}"); }
               event_route[kazoo:mod-init] {
                   kazoo_subscribe("f.events", "topic", "f.events", "#");
               }
               event_route[kazoo:consumer-event] { kazoo_publish("f.from", "event", "$kzE"); }"##,
    ));
    let from = |key: &str| -> Vec<Message> {
        let all = seen.messages().into_iter();
        all.filter(|message| message.key == key).collect()
    };
    crate::wait::until("the timer publishes", || from("timer").len() >= 2);
    bus.publish("f.events", "x", r#"{"of":"event"}"#);
    let of_event = || {
        from("event")
            .iter()
            .any(|each| each.json()["of"] == "event")
    };
    crate::wait::until("the event publishes", of_event);
    let target = format!("sip:dave@127.0.0.1:{}", kamailio.port());
    let headers = "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:dave@127.0.0.1>\r\n";
    let params = ["INFO", &target, ".", ".", headers].map(|text| json!(text));
    kamailio.rpc("tm.t_uac_start", &params);
    crate::wait::until("the RPC publishes", || from("rpc").len() == 1);
    kamailio.stop();
}

#[test]
fn order_is_kept_within_a_process() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = bus().listen("f.order", "topic", "#");
    let kamailio = start(shared().request(
        r#"$var(i) = 0;
           while ($var(i) < 1000) {
               if (kazoo_publish("f.order", "$pp", "{'n': $var(n)}")) {
                   $var(n) = $var(n) + 1; $var(i) = $var(i) + 1;
               }
           }"#,
    ));
    let mut sip = kamailio.sip();
    for _ in 0..8 {
        sip.message("x", b"");
    }
    let mut next = std::collections::HashMap::new();
    for message in seen.wait_for(8000) {
        let expected: &mut u64 = next.entry(message.key.clone()).or_default();
        assert_eq!(
            message.json()["n"],
            *expected,
            "from process {}",
            message.key
        );
        *expected += 1;
    }
    kamailio.wait_counter("confirmed", 8000);
    kamailio.stop();
}

#[test]
fn a_consumer_key_chooses_the_server() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let second = Rabbit::start();
    let here = bus().listen("targeted", "direct", "the.key");
    let there = Bus::to(second.port()).listen("targeted", "direct", "the.key");
    let config = shared().text_param("amqp_connection", &second.url());
    let kamailio = start(config.request(
        r#"kazoo_publish("targeted", "$rb", "{'a': '$rU'}"); $var(answer) = "rc=" + $rc;"#,
    ));
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("two", b"consumer://2/the.key"), "rc=1");
    assert_eq!(there.only().json()["a"], "two");
    assert_eq!(sip.message("one", b"consumer://1/the.key"), "rc=1");
    assert_eq!(here.only().json()["a"], "one");
    // Without a server it is the first that is there.
    assert_eq!(sip.message("first", b"the.key"), "rc=1");
    assert_eq!(here.wait_for(2)[1].json()["a"], "first");
    assert_eq!((here.count(), there.count()), (2, 1));
    kamailio.stop();
}

#[test]
fn a_server_of_another_zone_is_used_only_where_it_is_named() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let second = Rabbit::start();
    let here = bus().listen("f.zones", "topic", "#");
    let there = Bus::to(second.port()).listen("f.zones", "topic", "#");
    let kamailio = start(
        broker::alone()
            .text_param("amqp_primary_zone", "home")
            .text_param("amqp_connection", &format!("zone=away;{}", second.url()))
            .text_param("amqp_connection", &Rabbit::shared().url())
            .request(r#"kazoo_publish("f.zones", "$rb", "{}"); $var(answer) = "rc=" + $rc;"#),
    );
    connected(&kamailio);
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", b"key"), "rc=1");
    assert_eq!(here.only().key, "key");
    assert_eq!(sip.message("x", b"consumer://1/away"), "rc=1");
    assert_eq!(there.only().key, "away");
    assert_eq!(here.count(), 1);
    kamailio.stop();
}
