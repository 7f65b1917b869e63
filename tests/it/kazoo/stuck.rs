//! A server that is stuck costs each SIP worker one short wait; a full lane then refuses at once.

use std::time::Duration;

use rustix::process::Signal;

use super::broker::{at, counter, start, wait_counter};
use super::bus::Bus;
use crate::kamailio::{Kamailio, WORKERS};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::tally::Tally;
use crate::{process, turn, wait};

/// So long that a wait cannot be mistaken for a slow machine.
const WAIT: Duration = Duration::from_secs(2);

/// Messages that one request publishes, of 1 KiB each.
const EACH: u64 = 100;

/// Lanes that one request fills.
fn started(rabbit: &Rabbit) -> Kamailio {
    start(
        at(&rabbit.url())
            .number("queue_size", 64 * 1024)
            .number("message_size_max", 8192)
            .number("queue_full_wait_ms", 2000)
            .request(
                r#"$var(i) = 0; $var(refused) = 0;
                   while ($var(i) < 100) {
                       if (kazoo_publish("stuck", "k", "{'N':'$pp:$var(n)','text':'$rb'}")) {
                           $var(n) = $var(n) + 1;
                       } else { $var(refused) = $var(refused) + 1; }
                       $var(i) = $var(i) + 1;
                   }
                   $var(answer) = "" + $var(refused);"#,
            ),
    )
}

/// Publishes before, while and after `freeze` holds something up, until `thaw`.
fn costs_one_wait(freeze: impl Fn(&Rabbit, &Kamailio), thaw: impl Fn(&Rabbit, &Kamailio)) {
    let rabbit = Rabbit::start();
    let bus = Bus::to(rabbit.port());
    bus.exchange("stuck", "topic");
    bus.queue("stuck.q");
    bus.bind("stuck.q", "stuck", "#");
    let tally = Tally::default();
    let count = tally.clone();
    let _channel = bus.each("stuck.q", move |message| {
        count.add(message.json()["N"].as_str().unwrap().as_bytes());
    });
    let kamailio = started(&rabbit);
    let mut sip = kamailio.sip();
    let body = [b'x'; 1024];
    assert_eq!(
        sip.message("before", &body),
        "0",
        "with all at work, nothing is refused"
    );

    freeze(&rabbit, &kamailio);
    // The waits are counted by the time they take: whole multiples of one wait.
    let mut waits = 0;
    for _ in 0..100 {
        waits += sip.ask("MESSAGE", "x", &body).took.as_millis() / WAIT.as_millis();
    }
    let refused = counter(&kamailio, "refused_full");
    assert!(refused > 0, "the lanes never were full");
    assert!(
        waits <= u128::from(WORKERS),
        "{waits} waits of {WORKERS} workers"
    );
    eprintln!("stuck: {waits} waits in all, {refused} refused");

    thaw(&rabbit, &kamailio);
    let accepted = counter(&kamailio, "accepted");
    assert_eq!(accepted + refused, EACH * 101);
    wait::until("what was accepted arrived", || {
        tally.unique() as u64 == accepted
    });
    wait_counter(&kamailio, "confirmed", accepted);
    assert_eq!(
        sip.message("after", &body),
        "0",
        "nothing is refused any more"
    );
    assert_eq!(tally.out_of_order(), 0);
    kamailio.stop();
}

#[test]
fn a_stuck_server_costs_each_worker_one_wait() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::alone();
    costs_one_wait(|rabbit, _| rabbit.freeze(), |rabbit, _| rabbit.thaw());
}

#[test]
fn a_stuck_engine_costs_each_worker_one_wait() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::alone();
    let signal = |kamailio: &Kamailio, signal| {
        let status = kamailio.rpc("sipbus.status", &[]);
        let pid = status["engine"]["pid"].as_u64().unwrap();
        process::send(u32::try_from(pid).unwrap(), signal);
    };
    costs_one_wait(
        |_, kamailio| signal(kamailio, Signal::STOP),
        |_, kamailio| signal(kamailio, Signal::CONT),
    );
}
