//! What the engine logs: each line as the module's that it is about.

use crate::config::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::{port, turn, wait};

#[test]
fn a_line_of_the_engine_bears_the_name_of_its_module() {
    needs!("kamailio", "evapi", "event_kafka", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (socket, away) = (port::free(), port::free());
    let kamailio = Config::at(&nats.url())
        .before("debug=2")
        .after(&format!(
            "loadmodule \"evapi.so\"\nmodparam(\"evapi\", \"bind_addr\", \"127.0.0.1:{socket}\")\n\
             loadmodule \"event_kafka.so\"\nmodparam(\"event_kafka\", \"broker_id\", \"[k]127.0.0.1:{away}/topic\")"
        ))
        .start();
    let told = [
        ("nats", "nats: connected to"),
        ("evapi", "evapi: listening on"),
        ("event_kafka", "event_kafka: cannot connect to"),
    ];
    for (module, text) in told {
        let line = wait::until_some(text, || {
            let log = kamailio.log();
            log.lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        });
        assert!(line.contains(&format!(": {module} [")), "{line}");
    }
    kamailio.stop();
}

#[test]
fn a_mistake_in_the_settings_is_told_as_its_module_s() {
    needs!("kamailio", "evapi", "event_kafka", "nats");
    let _turn = turn::light();
    let mistakes = [
        ("evapi", "bind_addr", "nowhere"),
        ("event_kafka", "broker_id", "nowhere"),
    ];
    for (module, setting, value) in mistakes {
        let config = Config::at("nats://127.0.0.1:1").after(&format!(
            "loadmodule \"{module}.so\"\nmodparam(\"{module}\", \"{setting}\", \"{value}\")"
        ));
        let (_, log) = config.refused();
        let about = format!("modparam {module}");
        let told = log.lines().filter(|line| line.contains(&about));
        let told: Vec<&str> = told.collect();
        assert!(!told.is_empty(), "{log}");
        for line in told {
            assert!(line.contains(&format!(": {module} [")), "{line}");
        }
    }
}
