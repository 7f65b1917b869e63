//! Which event route serves a message: subject, pattern, prefixes, and the catch-all.

use crate::kamailio::Config;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::{Subscriber, text};
use crate::turn;

/// Starts Kamailio with the subscriptions and routes, sends to each subject, and returns the route
/// that ran.
fn routed(subscriptions: &[&str], routes: &[&str], subjects: &[&str]) -> Vec<String> {
    let nats = Nats::start();
    let seen = Subscriber::new(&nats.url(), "seen");
    let mut config = Config::at(&nats.url());
    for subscription in subscriptions {
        config = config.nats("subject_queue_group", &format!("{subscription}:group"));
    }
    for route in routes {
        config = config.routes(&format!(
            "event_route[nats:{route}] {{ nats_publish(\"seen\", \"{route}\"); }}"
        ));
    }
    let kamailio = config.start().connected();
    let ran = subjects
        .iter()
        .enumerate()
        .map(|(index, subject)| {
            seen.publish(subject, "x");
            text(&seen.wait_for(index + 1)[index])
        })
        .collect();
    kamailio.stop();
    ran
}

#[test]
fn subject_then_pattern_then_prefixes_then_all() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    // One message for all, and in each run the best remaining route is taken away.
    let routes = [
        "orders-eu-created",
        "orders-any-created",
        "orders-eu-all",
        "orders-all",
        "all",
    ];
    for first in 0..routes.len() {
        let ran = routed(
            &["orders.*.created"],
            &routes[first..],
            &["orders.eu.created"],
        );
        assert_eq!(ran, [routes[first]]);
    }
}

#[test]
fn each_message_finds_its_own_route() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ran = routed(
        &["orders.*.created", "calls.*.*", "news.>", "other.*"],
        &[
            "orders-eu-created",
            "orders-any-created",
            "calls-eu-all",
            "calls-all",
            "news-all",
            "all",
        ],
        &[
            "orders.eu.created",
            "orders.us.created",
            "calls.eu.x",
            "calls.us.x",
            "news.a.b",
            "other.a",
        ],
    );
    let expected = [
        "orders-eu-created",
        "orders-any-created",
        "calls-eu-all",
        "calls-all",
        "news-all",
        "all",
    ];
    assert_eq!(ran, expected);
}

#[test]
fn the_pattern_goes_before_longer_prefixes() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ran = routed(
        &["calls.>"],
        &["calls-all", "calls-eu-all"],
        &["calls.eu.x"],
    );
    assert_eq!(ran, ["calls-all"]);
}

#[test]
fn characters_that_the_grammar_lacks_become_underscores() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ran = routed(&["a@b.c%d"], &["a_b-c_d"], &["a@b.c%d"]);
    assert_eq!(ran, ["a_b-c_d"]);
}

#[test]
fn names_that_the_grammar_or_the_connector_owns_get_a_prefix() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ran = routed(
        &["1st.call", "connected", "disconnected", "_x"],
        &[
            "subject-1st-call",
            "subject-connected",
            "subject-disconnected",
            "subject-_x",
        ],
        &["1st.call", "connected", "disconnected", "_x"],
    );
    let expected = [
        "subject-1st-call",
        "subject-connected",
        "subject-disconnected",
        "subject-_x",
    ];
    assert_eq!(ran, expected);
}

#[test]
fn letters_keep_their_case() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let ran = routed(
        &["Kamailio-World"],
        &["Kamailio-World", "kamailio-world"],
        &["Kamailio-World"],
    );
    assert_eq!(ran, ["Kamailio-World"]);
}

#[test]
fn a_message_without_a_route_is_counted() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let client = Subscriber::publisher(&nats.url());
    let kamailio = Config::at(&nats.url())
        .nats("subject_queue_group", "nobody.home:group")
        .start()
        .connected();
    client.publish("nobody.home", "x");
    kamailio.wait_counter("unrouted", 1);
    assert_eq!(kamailio.counter("received"), 1);
    let log = kamailio.stop();
    assert!(
        log.contains("nobody.home"),
        "the start warns of a subscription that no route serves"
    );
}
