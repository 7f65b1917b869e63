//! What an operator sees: the RPCs as structures, the statistics, and the Prometheus page.

use serde_json::json;

use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::{http, port, process, turn, wait};

const PUBLISH: &str = r#"nats_publish("$rU", "x"); $var(answer) = "rc=" + $rc;"#;

const COUNTERS: [&str; 12] = [
    "published",
    "accepted",
    "refused",
    "refused_full",
    "refused_oversized",
    "refused_invalid",
    "delivered",
    "rejected",
    "received",
    "consumed",
    "unrouted",
    "reconnects",
];

#[test]
fn the_status_is_a_structure() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes("event_route[nats:in] { return; }")
        .request(PUBLISH)
        .start()
        .connected();
    assert_eq!(kamailio.sip().message("good", b""), "rc=1");
    let status = kamailio.rpc("sipbus.status", &[]);
    let engine = &status["engine"];
    assert_eq!(engine["state"], "running", "{status}");
    assert_eq!(engine["restarts"], 0, "{status}");
    assert!(engine["uptime"].is_u64(), "{status}");
    let pid = kamailio.engine().unwrap();
    assert!(
        process::command_line(pid).contains("sipbus-engine"),
        "{status}"
    );
    assert!(
        kamailio.server.family().members().contains(&pid),
        "{status} {}",
        process::command_line(pid)
    );

    let connector = kamailio.connector();
    assert_eq!(connector["state"], "connected");
    assert!(
        connector["server"]
            .as_str()
            .unwrap()
            .contains(&nats.port().to_string()),
        "{status}"
    );
    assert!(!connector["since"].is_null(), "{status}");
    let lanes = connector["lanes"].as_array().unwrap();
    assert!(!lanes.is_empty(), "{status}");
    for lane in lanes {
        for field in ["process", "used", "size", "accepted", "refused"] {
            assert!(lane[field].is_u64(), "lane {field} in {lane}");
        }
        assert_eq!(lane["size"], 2_097_152, "{lane}");
    }
    let inboxes = connector["inboxes"].as_array().unwrap();
    assert_eq!(inboxes.len(), 1, "{status}");
    assert_eq!(inboxes[0]["size"], 2_097_152, "{status}");
    assert!(
        inboxes[0]["used"].is_u64() && !inboxes[0]["worker"].is_null(),
        "{status}"
    );
    kamailio.stop();
}

#[test]
fn the_counters_tell_what_happened() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes("event_route[nats:in] { return; }")
        .request(PUBLISH)
        .start()
        .connected();
    let mut sip = kamailio.sip();
    for _ in 0..30 {
        assert_eq!(sip.message("good", b""), "rc=1");
    }
    for _ in 0..7 {
        assert_eq!(sip.message("..", b""), "rc=-1");
    }
    for _ in 0..5 {
        client.publish("in", "x");
    }
    kamailio.wait_counter("delivered", 30);
    kamailio.wait_counter("consumed", 5);
    let stats = kamailio.rpc("nats.stats", &[]);
    let expected = [37, 30, 7, 0, 0, 7, 30, 0, 5, 5, 0, 0];
    for (name, value) in COUNTERS.iter().zip(expected) {
        assert_eq!(stats[name], value, "{name} in {stats}");
    }
    // The same numbers, as Kamailio's own statistics.
    let fetched = kamailio.rpc("stats.fetch", &[json!("nats:")]);
    for (name, value) in COUNTERS.iter().zip(expected) {
        let shown = &fetched[format!("nats.{name}")];
        assert_eq!(
            shown.as_str().unwrap_or_default(),
            value.to_string(),
            "{name} in {fetched}"
        );
    }
    let lines = kamailio.rpc("stats.get_statistics", &[json!("nats:")]);
    assert!(lines.to_string().contains("nats:published = 37"), "{lines}");
    // The lanes' own numbers add up to the same.
    let connector = kamailio.connector();
    let sum = |field: &str| -> u64 {
        connector["lanes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|lane| lane[field].as_u64())
            .sum()
    };
    assert_eq!((sum("accepted"), sum("refused")), (30, 7), "{connector}");
    kamailio.stop();
}

#[test]
fn the_status_follows_the_connection() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let mut nats = Nats::start();
    let kamailio = Config::at(&nats.url()).request(PUBLISH).start().connected();
    nats.stop();
    wait::until("the loss is told", || {
        kamailio.connector()["state"] != "connected"
    });
    wait::until("the error is told", || {
        kamailio.connector()["last_error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    });
    assert_eq!(kamailio.sip().message("while.away", b""), "rc=1");
    assert!(kamailio.queued() > 0, "what waits is shown");
    nats.start_again();
    wait::until("the queue is empty again", || kamailio.queued() == 0);
    assert_eq!(kamailio.connector()["state"], "connected");
    assert_eq!(kamailio.counter("reconnects"), 1);
    kamailio.stop();
}

#[test]
fn the_prometheus_page_shows_the_counters() {
    needs!("kamailio", "nats", "xhttp.so", "xhttp_prom.so");
    let _turn = turn::light();
    let nats = Nats::start();
    let http = port::free();
    let kamailio = Config::at(&nats.url())
        .before(&format!(
            "disable_tcp=no\nlisten=tcp:127.0.0.1:{http}\ntcp_accept_no_cl=yes"
        ))
        .after(
            "loadmodule \"xhttp.so\"\nloadmodule \"xhttp_prom.so\"\n\
             modparam(\"xhttp_prom\", \"xhttp_prom_stats\", \"nats:\")",
        )
        .routes("event_route[xhttp:request] { prom_dispatch(); }")
        .request(PUBLISH)
        .start()
        .connected();
    assert_eq!(kamailio.sip().message("good", b""), "rc=1");
    kamailio.wait_counter("delivered", 1);
    let page = http::get(http, "/metrics");
    for line in [
        "kamailio_nats_published 1",
        "kamailio_nats_delivered 1",
        "kamailio_nats_refused 0",
    ] {
        assert!(page.contains(line), "{line} in:\n{page}");
    }
    kamailio.stop();
}

#[test]
fn the_processes_have_names() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let start = |routes: &str| {
        let config = Config::at(&nats.url()).nats("subject_queue_group", "in:group");
        config
            .routes("event_route[nats:in] { return; }")
            .routes(routes)
            .start()
    };
    let names = |kamailio: &Kamailio| -> Vec<String> {
        let list = kamailio.rpc("core.psx", &[]);
        let names = list
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|each| each["DSC"].as_str());
        names.map(String::from).collect()
    };
    let kamailio = start("event_route[nats:connected] { return; }");
    let with_route = names(&kamailio);
    for name in [
        "sipbus supervisor",
        "nats worker: in:group",
        "nats worker: connection events",
    ] {
        assert!(
            with_route.iter().any(|each| each == name),
            "{name} in {with_route:?}"
        );
    }
    kamailio.stop();
    // No process for events that nobody wants.
    let kamailio = start("");
    assert!(
        !names(&kamailio)
            .iter()
            .any(|name| name.contains("connection events"))
    );
    kamailio.stop();
}

#[test]
fn messages_leave_shared_memory_as_it_was() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes("event_route[nats:in] { $var(x) = $natsData; }")
        .request(
            r#"$var(i) = 0;
               while ($var(i) < 1000) { nats_publish("out", "$rb"); $var(i) = $var(i) + 1; }"#,
        )
        .start()
        .connected();
    let mut sip = kamailio.sip();
    let mut load = |published: u64, consumed: u64| {
        for _ in 0..10 {
            sip.message("x", &[b'x'; 256]);
        }
        for _ in 0..1000 {
            client.publish("in", vec![b'x'; 256]);
        }
        kamailio.wait_counter("delivered", published);
        kamailio.wait_counter("consumed", consumed);
        kamailio.rpc("core.shmmem", &[])["real_used"].clone()
    };
    let before = load(10_000, 1_000);
    let after = load(20_000, 2_000);
    assert_eq!(before, after);
    kamailio.stop();
}
