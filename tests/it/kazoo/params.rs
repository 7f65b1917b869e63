//! Parameters: all of the original's and ours are accepted, and those that act do so.

use super::broker::{alone, at, connections, shared, start};
use super::bus::Bus;
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::{port, turn, wait};

const PUBLISH: &str = r#"kazoo_publish("p.calls", "$rU", "{}"); $var(answer) = "rc=" + $rc;"#;

/// Those whose value is a number, with the one that a production configuration gives.
const NUMBERS: [(&str, i64); 44] = [
    ("amqp_max_channels", 25),
    ("amqp_heartbeats", 5),
    ("amqp_connect_timeout_sec", 1),
    ("amqp_connect_timeout_micro", 200_000),
    ("amqp_query_timeout_sec", 2),
    ("amqp_query_timeout_micro", 100),
    ("amqp_consumer_processes", 4),
    ("amqp_consumer_workers", 16),
    ("amqp_command_hashtable_size", 4096),
    ("amqp_waitframe_timeout_sec", 1),
    ("amqp_waitframe_timeout_micro", 200_000),
    ("amqp_consumer_ack_timeout_sec", 1),
    ("amqp_consumer_ack_timeout_micro", 200_000),
    ("amqp_interprocess_timeout_sec", 1),
    ("amqp_interprocess_timeout_micro", 200_000),
    ("amqp_timmer_process_interval", 100),
    ("amqp_timer_process_interval", 100),
    ("amqp_internal_loop_count", 1),
    ("amqp_consumer_loop_count", 3),
    ("amqp_consumer_ack_loop_count", 5),
    ("single_consumer_on_reconnect", 0),
    ("consume_messages_on_reconnect", 0),
    ("use_federated_exchange", 1),
    ("amqps_verify_peer", 1),
    ("amqps_verify_hostname", 1),
    ("pua_mode", 1),
    ("pua_include_entity", 0),
    ("presence_use_full_entity", 1),
    ("pua_lock_type", 0),
    ("publisher_confirms", 1),
    ("prefetch", 100),
    ("async_queries_max", 100),
    ("reply_size_max", 65_536),
    ("reconnect_wait_ms_max", 1000),
    ("queue_size", 4 * 1024 * 1024),
    ("message_size_max", 1024 * 1024),
    ("queue_full_wait_ms", 10),
    ("inbox_size", 4 * 1024 * 1024),
    ("drain_timeout_ms", 4000),
    ("amqp_max_channels", 0),
    ("amqp_consumer_processes", 0),
    ("amqp_internal_loop_count", 0),
    ("amqp_timmer_process_interval", 0),
    ("amqp_command_hashtable_size", 0),
];

const TEXTS: [(&str, &str); 8] = [
    ("amqp_primary_zone", "local"),
    ("amqp_consumer_event_key", "Event-Category"),
    ("amqp_consumer_event_subkey", "Event-Name"),
    ("amqp_query_timeout_avp", "$avp(kz_timeout)"),
    ("amqp_result_avp", "$avp(amqp_result)"),
    ("json_escape_char", "%"),
    ("federated_exchange", "federation"),
    ("presentity_table", "presentity"),
];

#[test]
fn every_parameter_is_accepted() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = Bus::to(Rabbit::shared().port()).listen("p.calls", "topic", "every");
    let mut config = shared().text_param("app_name", "p");
    for (name, value) in NUMBERS {
        config = config.number(name, value);
    }
    for (name, value) in TEXTS {
        config = config.text_param(name, value);
    }
    let kamailio = start(config.request(PUBLISH));
    assert_eq!(kamailio.sip().message("every", b""), "rc=1");
    assert_eq!(seen.only().json()["App-Name"], "p");
    kamailio.stop();
}

#[test]
fn several_servers_are_a_failover_list() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let mut first = Rabbit::start();
    let second = Rabbit::shared();
    let dead = format!("amqp://guest:guest@127.0.0.1:{}", port::free());
    let here = Bus::to(first.port()).listen("p.calls", "topic", "#");
    let there = Bus::to(second.port()).listen("p.calls", "topic", "over.*");
    let kamailio = alone()
        .text_param("amqp_connection", &dead)
        .text_param("amqp_connection", &first.url())
        .text_param("amqp_connection", &second.url())
        .request(PUBLISH)
        .start();
    let open = || {
        let all = connections(&kamailio);
        let open = |each: &&serde_json::Value| each["role"] == "publish" && each["state"] == "open";
        all.iter().filter(open).count()
    };
    wait::until("both are connected", || open() == 2);
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("over.1", b""), "rc=1");
    assert_eq!(here.only().key, "over.1");
    first.stop();
    wait::until("one is gone", || open() == 1);
    assert_eq!(sip.message("over.2", b""), "rc=1");
    assert_eq!(there.only().key, "over.2");
    first.start_again();
    wait::until("it is back", || open() == 2);
    let here = Bus::to(first.port()).listen("p.calls", "topic", "#");
    assert_eq!(sip.message("over.3", b""), "rc=1");
    assert_eq!(here.only().key, "over.3");
    assert_eq!(there.count(), 1);
    kamailio.stop();
}

#[test]
fn a_virtual_host_and_a_user_are_used() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    for vhost in ["voice", "a/b"] {
        rabbit.control(&["add_vhost", vhost]);
    }
    rabbit.control(&["add_user", "si:p", "p@ss/w:rd%?#"]);
    for vhost in ["voice", "a/b", "/"] {
        rabbit.control(&["set_permissions", "-p", vhost, "si:p", ".*", ".*", ".*"]);
    }
    for (path, vhost) in [
        ("/voice", "voice"),
        ("/a%2fb", "a/b"),
        ("/%2f", "/"),
        ("/", "/"),
        ("", "/"),
    ] {
        let bus = Bus::as_user(rabbit.port(), "si:p", "p@ss/w:rd%?#", vhost);
        let seen = bus.listen("p.calls", "topic", "#");
        let url = format!(
            "kazoo://si%3Ap:p%40ss%2Fw%3Ard%25%3F%23@127.0.0.1:{}{path}",
            rabbit.port()
        );
        let kamailio = start(at(&url).request(PUBLISH));
        assert_eq!(kamailio.sip().message("alice", b""), "rc=1");
        assert_eq!(seen.only().key, "alice", "{path}");
        let log = kamailio.stop();
        assert!(!log.contains("p%40ss") && !log.contains("p@ss"), "{log}");
    }
}

#[test]
fn a_wrong_password_is_told_and_never_shown() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let url = format!(
        "amqp://guest:s3cret-Wrong@127.0.0.1:{}",
        Rabbit::shared().port()
    );
    let kamailio = at(&url)
        .before("debug=3")
        .number("drain_timeout_ms", 100)
        .request(PUBLISH)
        .start();
    wait::until("the refusal is told", || {
        kamailio.connector()["last_error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    });
    assert_ne!(kamailio.connector()["state"], "connected");
    let shown = [
        kamailio.rpc("sipbus.status", &[]).to_string(),
        kamailio.rpc("kazoo.connections", &[]).to_string(),
        crate::process::command_line(kamailio.engine().expect("the engine runs")),
    ];
    assert!(!shown.concat().contains("s3cret-Wrong"), "{shown:?}");
    let log = kamailio.stop();
    // Kamailio's own debug output shows what it reads from the file; ours must not.
    let ours = log
        .lines()
        .filter(|line| line.contains("kazoo [") || line.contains("sipbus"));
    let told: Vec<&str> = ours.filter(|line| line.contains("s3cret-Wrong")).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn without_confirms_messages_arrive_too() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let seen = Bus::to(Rabbit::shared().port()).listen("p.free", "topic", "#");
    let kamailio = start(shared().number("publisher_confirms", 0).request(
        r#"$var(i) = 0;
           while ($var(i) < 100) {
               kazoo_publish("p.free", "$rU", "{'n': $var(i)}"); $var(i) = $var(i) + 1;
           }"#,
    ));
    kamailio.sip().message("alice", b"");
    let numbers: Vec<_> = seen
        .wait_for(100)
        .iter()
        .map(|each| each.json()["n"].clone())
        .collect();
    assert_eq!(
        numbers,
        (0..100).map(Into::into).collect::<Vec<serde_json::Value>>()
    );
    kamailio.wait_counter("confirmed", 100);
    kamailio.stop();
}

#[test]
fn heartbeats_find_a_server_that_is_stuck() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let rabbit = Rabbit::start();
    let kamailio = start(
        at(&rabbit.url())
            .number("amqp_heartbeats", 1)
            .routes(
                "event_route[kazoo:consumer-event-connection-closed] { $var(n) = $shtinc(count=>closed); }",
            )
            .request(PUBLISH),
    );
    // While it is well, the connection stays.
    rabbit.freeze();
    kamailio.wait_counted("closed", 1);
    rabbit.thaw();
    super::broker::connected(&kamailio);
    assert!(kamailio.counter("reconnects") > 0);
    kamailio.stop();
}
