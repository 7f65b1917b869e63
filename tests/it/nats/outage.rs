//! The server away or restarted: what was accepted arrives.

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::sipp::Sipp;
use crate::subscriber::Subscriber;
use crate::tally::Tally;
use crate::{turn, wait};

#[test]
fn accepted_while_the_server_is_down_arrives_later() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let gate = Gate::before(nats.port());
    let (tally, _counting) = Tally::of(&nats.url(), "seq");
    let request = r#"
        if (nats_publish("seq", "$pp:$var(n)")) { $var(n) = $var(n) + 1; $var(answer) = "rc=1"; }"#;
    let kamailio = Config::at(&gate.url()).request(request).start();
    let mut sip = kamailio.sip();
    for _ in 0..200 {
        assert_eq!(sip.message("x", b""), "rc=1");
    }
    assert_ne!(kamailio.connector()["state"], "connected");
    assert_eq!(
        (kamailio.counter("accepted"), kamailio.counter("delivered")),
        (200, 0)
    );
    gate.open();
    wait::until("all arrived", || tally.unique() == 200);
    kamailio.wait_counter("delivered", 200);
    assert_eq!((tally.duplicates(), tally.out_of_order()), (0, 0));
    kamailio.stop();
}

/// Publishes what `message.xml` sends; where a publish is refused, sipp's call fails.
fn paced(url: &str) -> Kamailio {
    Config::at(url)
        .before("loadmodule \"textops.so\"")
        .request(
            r#"if (!nats_publish("paced", "sipp:$hdr(X-Number)")) {
                   sl_send_reply("503", "Refused"); exit;
               }"#,
        )
        .start()
        .connected()
}

#[test]
fn nothing_is_lost_over_broken_connections() {
    needs!("kamailio", "nats", "sipp");
    let _turn = turn::alone();
    let nats = Nats::start();
    let gate = Gate::before(nats.port());
    gate.open();
    let (tally, _counting) = Tally::of(&nats.url(), "paced");
    let kamailio = paced(&gate.url());
    let load = Sipp::start("message.xml", kamailio.port(), 1000, 6000);
    for accepted in (1..=5).map(|round| round * 1000) {
        kamailio.wait_counter("accepted", accepted);
        gate.shut();
        wait::until("the loss is told", || {
            kamailio.connector()["state"] != "connected"
        });
        gate.open();
    }
    load.succeed();
    wait::until("all arrived", || tally.unique() == 6000);
    kamailio.wait_counter("delivered", kamailio.counter("accepted"));
    eprintln!(
        "five broken connections: {} of 6000 arrived twice",
        tally.duplicates()
    );
    assert_eq!(kamailio.counter("reconnects"), 5);
    kamailio.stop();
}

/// Has the server keep what it is sent on `subject`, so that nothing depends on a subscriber that
/// must connect again after a restart, as Kamailio must.
fn keep(client: &Subscriber, subject: &str) {
    let stream = json!({"name": "KEPT", "subjects": [subject], "storage": "file"});
    let answer = client.request("$JS.API.STREAM.CREATE.KEPT", &stream.to_string());
    assert!(!answer.contains("\"error\""), "{answer}");
}

fn kept(client: &Subscriber) -> u64 {
    let info: Value =
        serde_json::from_str(&client.request("$JS.API.STREAM.INFO.KEPT", "")).unwrap();
    info["state"]["messages"].as_u64().unwrap()
}

/// Has the server send all it kept to the subject `replay`.
fn replay(client: &Subscriber) {
    let consumer = json!({"stream_name": "KEPT", "config":
        {"deliver_subject": "replay", "deliver_policy": "all", "ack_policy": "none"}});
    let answer = client.request("$JS.API.CONSUMER.CREATE.KEPT", &consumer.to_string());
    assert!(!answer.contains("\"error\""), "{answer}");
}

#[test]
fn nothing_is_lost_over_server_restarts() {
    needs!("kamailio", "nats", "sipp");
    let _turn = turn::alone();
    let mut nats = Nats::with("jetstream { store_dir: \"kept\" }");
    keep(&Subscriber::publisher(&nats.url()), "paced");
    let kamailio = paced(&nats.url());
    let load = Sipp::start("message.xml", kamailio.port(), 1000, 6000);
    for accepted in [1500, 3000, 4500] {
        kamailio.wait_counter("accepted", accepted);
        // Killed, since a server that ends by itself still answers for messages that it no longer
        // keeps: they would be missing here, and no client could know.
        nats.kill();
        nats.start_again();
    }
    load.succeed();
    let accepted = kamailio.counter("accepted");
    assert!(accepted >= 6000);
    kamailio.wait_counter("delivered", accepted);

    let (tally, client) = Tally::of(&nats.url(), "replay");
    replay(&client);
    let expected = usize::try_from(kept(&client)).unwrap();
    wait::until("the server sent all it kept", || {
        tally.unique() + tally.duplicates() == expected
    });
    assert_eq!(tally.unique(), 6000);
    eprintln!(
        "three server restarts: {} of 6000 arrived twice",
        tally.duplicates()
    );
    assert_eq!(kamailio.counter("reconnects"), 3);
    kamailio.stop();
}
