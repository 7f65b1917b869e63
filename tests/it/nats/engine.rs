//! The engine killed: events come again.

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::{turn, wait};

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
        kamailio.kill_engine();
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
