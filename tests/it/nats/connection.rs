//! `event_route[nats:connected]` and `[nats:disconnected]`: once per change of the connector.

use crate::gate::Gate;
use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::{port, turn, wait};

const COUNT_CONNECTION: &str = "
    event_route[nats:connected] { $var(n) = $shtinc(count=>connected); }
    event_route[nats:disconnected] { $var(n) = $shtinc(count=>disconnected); }
";

#[test]
fn connected_runs_once_when_the_server_is_there_first() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "one:group")
        .nats("subject_queue_group", "two:group")
        .routes(COUNT_CONNECTION)
        .routes(r#"event_route[nats:all] { nats_publish("seen", "$natsData"); }"#)
        .start();
    wait::until("connected ran", || kamailio.counted("connected") > 0);
    // Traffic through both subscriptions, so that a second event would have had its chance.
    seen.publish("one", "x");
    seen.publish("two", "x");
    seen.wait_for(2);
    assert_eq!(
        (
            kamailio.counted("connected"),
            kamailio.counted("disconnected")
        ),
        (1, 0)
    );
    kamailio.stop();
}

#[test]
fn each_change_of_the_connection_is_told_once() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let gate = Gate::before(nats.port());
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&gate.url())
        .nats("subject_queue_group", "one:group")
        .nats("subject_queue_group", "two:group")
        .routes(COUNT_CONNECTION)
        .routes(r#"event_route[nats:all] { nats_publish("seen", "$natsData"); }"#)
        .start();
    let counted = || {
        (
            kamailio.counted("connected"),
            kamailio.counted("disconnected"),
        )
    };
    assert_eq!(counted(), (0, 0), "no server yet, and none was lost");
    for round in 1..=3 {
        gate.open();
        wait::until("connected ran", || counted().0 >= round);
        for subject in ["one", "two"] {
            let before = seen.count();
            seen.publish(subject, "x");
            seen.wait_for(before + 1);
        }
        assert_eq!(counted(), (round, round - 1));
        gate.shut();
        wait::until("disconnected ran", || counted().1 >= round);
        assert_eq!(counted(), (round, round));
    }
    kamailio.stop();
}

#[test]
fn a_server_that_joins_the_cluster_later_takes_over() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ports = [port::free(), port::free()];
    let cluster = |own: usize| {
        let (own, other) = (ports[own], ports[1 - own]);
        format!(
            "cluster {{ name: c, listen: \"127.0.0.1:{own}\", routes: [\"nats://127.0.0.1:{other}\"] }}"
        )
    };
    let mut first = Nats::with(&cluster(0));
    let kamailio = Config::at(&first.url())
        .request(r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    let second = Nats::with(&cluster(1));
    let seen = Subscriber::new(&second.url(), "calls");
    let mut sent = 0;
    wait::until("they are one cluster", || {
        assert_eq!(kamailio.sip().message("early", b""), "rc=1");
        sent += 1;
        kamailio.wait_counter("delivered", sent);
        seen.count() > 0
    });
    first.kill();
    assert_eq!(kamailio.sip().message("late", b""), "rc=1");
    wait::until("the other has it", || {
        seen.texts().contains(&"late".to_owned())
    });
    kamailio.stop();
}

#[test]
fn the_only_server_is_used_until_it_closes() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::with("lame_duck_grace_period: \"60s\"\nlame_duck_duration: \"120s\"");
    let kamailio = Config::at(&nats.url())
        .request(r#"nats_publish("calls", "$rU"); $var(answer) = "rc=" + $rc;"#)
        .start()
        .connected();
    nats.lame_duck();
    wait::until("it takes no new clients", || !nats.takes_clients());
    for sent in 1..=3 {
        assert_eq!(kamailio.sip().message("x", b""), "rc=1");
        kamailio.wait_counter("delivered", sent);
    }
    assert_eq!(kamailio.counter("reconnects"), 0);
    kamailio.stop();
}

#[test]
fn a_server_restart_is_told_once_each_way() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let mut nats = Nats::start();
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "one:group")
        .routes(COUNT_CONNECTION)
        .routes("event_route[nats:one] { $var(n) = $shtinc(count=>one); }")
        .start()
        .connected();
    let reconnects = kamailio.counter("reconnects");
    nats.stop();
    wait::until("disconnected ran", || kamailio.counted("disconnected") > 0);
    nats.start_again();
    wait::until("connected ran again", || kamailio.counted("connected") > 1);
    let client = Subscriber::publisher(&nats.url());
    client.publish("one", "x");
    wait::until("consumed again", || kamailio.counted("one") == 1);
    assert_eq!(
        (
            kamailio.counted("connected"),
            kamailio.counted("disconnected")
        ),
        (2, 1)
    );
    assert!(kamailio.counter("reconnects") > reconnects);
    kamailio.stop();
}
