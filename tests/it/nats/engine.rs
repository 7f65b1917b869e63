//! The engine killed while messages flow: SIP goes on, and nothing accepted is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::tally::Tally;
use crate::{process, sipp, turn, wait};

/// Sets a flag when it goes out of scope.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills the engine, and waits until another one runs.
fn kill_engine(kamailio: &Kamailio) {
    let engine = kamailio.engine().expect("the engine runs");
    process::send(engine, Signal::KILL);
    wait::until("another engine runs", || {
        kamailio.engine().is_some_and(|pid| pid != engine)
    });
}

#[test]
fn nothing_is_lost_when_the_engine_is_killed() {
    needs!("kamailio", "nats", "sipp");
    let _turn = turn::alone();
    const EACH: usize = 500_000;
    let nats = Nats::start();
    let (tally, _counting) = Tally::of(&nats.url(), "seq");
    // A refused one is tried again, so that each writer's numbers have no gap of their own.
    let kamailio = Config::at(&nats.url())
        .request(
            r#"$var(n) = 0;
               while ($var(n) < 500000) {
                   if (nats_publish("seq", "$pp:$var(n)")) { $var(n) = $var(n) + 1; }
                   else { usleep("1000"); }
               }
               $var(answer) = "done";"#,
        )
        .start()
        .connected();
    let mut sip = kamailio.sip();
    // Two of the workers publish; the others have SIP to answer.
    for _ in 0..2 {
        sip.send("MESSAGE", "x", b"");
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| sipp::options_until(kamailio.port(), &done));
        // Also where a wait below fails, or the scope would never end.
        let _done = Finally(&done);
        for round in 1..=3 {
            // Long before the end: the loops are to find the engine dead in the midst of their work.
            kamailio.wait_counter("accepted", round * EACH as u64 / 2);
            kill_engine(&kamailio);
        }
        let mut ended = 0;
        wait::until("both loops ended", || {
            let answer = sip.receive(Duration::from_millis(5));
            ended += usize::from(answer.is_some_and(|answer| answer.2 == "done"));
            ended == 2
        });
    });
    wait::until("all arrived", || tally.unique() == 2 * EACH);
    assert_eq!(tally.writers(), 2);
    eprintln!(
        "three engine kills: {} of {} arrived twice",
        tally.duplicates(),
        2 * EACH
    );
    assert_eq!(tally.out_of_order(), 0);
    assert_eq!(kamailio.rpc("sipbus.status", &[])["engine"]["restarts"], 3);
    assert_eq!(kamailio.counter("accepted"), 2 * EACH as u64);
    kamailio.stop();
}

#[test]
fn a_killed_engine_comes_back_also_for_consumers() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "in:group")
        .routes(r#"event_route[nats:in] { nats_publish("seen", "$natsData"); }"#)
        .start()
        .connected();
    for round in 1..=3 {
        seen.publish("in", round.to_string());
        seen.wait_for(round);
        kill_engine(&kamailio);
        wait::until("it is connected", || {
            kamailio.connector()["state"] == "connected"
        });
    }
    seen.publish("in", "after");
    wait::until("the last one was consumed", || {
        seen.texts().contains(&"after".to_string())
    });
    kamailio.stop();
}
