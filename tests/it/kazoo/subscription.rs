//! Subscriptions: in which zones they are made, how they are shown, and which are refused.

use super::broker::{alone, shared, start, subscriptions};
use super::bus::Bus;
use super::subscribe::{keys, observer, with};
use crate::require::needs;
use crate::server::rabbitmq::Rabbit;
use crate::turn;

#[test]
fn a_federated_subscription_is_made_in_every_zone() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let away = Rabbit::start();
    let (here, seen) = observer("s.fed.seen");
    let there = Bus::to(away.port());
    let kamailio = with(
        alone()
            .text_param("amqp_primary_zone", "home")
            .text_param("amqp_connection", &Rabbit::shared().url())
            .text_param("amqp_connection", &format!("zone=away;{}", away.url())),
        "s.fed.seen",
        r#"kazoo_subscribe("{'exchange':'s.fed','type':'topic','queue':'s.fed','routing':'#','federate':1}");
           kazoo_subscribe("{'exchange':'s.home','type':'topic','queue':'s.home','routing':'#'}");"#,
    );
    assert_eq!(there.waiting("s.home"), None);
    here.publish("s.fed", "here", r#"{"Server-ID":"service"}"#);
    there.publish("s.fed", "there", r#"{"Server-ID":"service"}"#);
    there.publish("s.fed", "none", r#"{"Server-ID":""}"#);
    assert_eq!(keys(&seen, 3), ["here", "none", "there"]);
    for message in seen.messages() {
        let sent = message.json();
        let (zone, server) = (&sent["AMQP-Broker-Zone"], &sent["Server-ID"]);
        match message.key.as_str() {
            "here" => assert_eq!(
                (zone, server),
                (&"home".into(), &"consumer://1/service".into())
            ),
            "there" => assert_eq!(
                (zone, server),
                (&"away".into(), &"consumer://2/service".into())
            ),
            // It was taken out, so that publishing put its own in.
            _ => assert!(server.as_str().unwrap().starts_with("kamailio@"), "{sent}"),
        }
    }
    kamailio.stop();
}

#[test]
fn an_answer_finds_back_to_the_server_of_the_question() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let away = Rabbit::start();
    let there = Bus::to(away.port());
    let answers = there.listen("targeted", "direct", "asker.key");
    let kamailio = start(
        alone()
            .text_param("amqp_connection", &Rabbit::shared().url())
            .text_param("amqp_connection", &format!("zone=away;{}", away.url()))
            .routes(
                r#"event_route[kazoo:mod-init] {
                       kazoo_subscribe("{'exchange':'s.ask','type':'topic','queue':'s.ask','routing':'#','federate':1}");
                   }
                   event_route[kazoo:consumer-event] {
                       if ($(kzE{kz.json,Event-Category}) == "connection") { exit; }
                       kazoo_publish("targeted", $(kzE{kz.json,Server-ID}),
                           "{'Msg-ID': '$(kzE{kz.json,Msg-ID})', 'Answer': 42}");
                   }"#,
            ),
    );
    there.publish("s.ask", "q", r#"{"Server-ID":"asker.key","Msg-ID":"q-1"}"#);
    let answer = answers.only().json();
    assert_eq!(
        (&answer["Msg-ID"], &answer["Answer"]),
        (&"q-1".into(), &42.into())
    );
    kamailio.stop();
}

#[test]
fn what_is_subscribed_is_shown() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = with(
        shared(),
        "s.shown.seen",
        r#"kazoo_subscribe("s.shown", "topic", "s.shown.queue", "a.b");"#,
    );
    let shown = subscriptions(&kamailio);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0]["exchange"], "s.shown");
    assert_eq!(shown[0]["queue"], "s.shown.queue");
    assert_eq!(shown[0]["state"], "open");
    kamailio.stop();
}

#[test]
fn all_of_many_subscriptions_are_shown() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = with(
        shared(),
        "s.many.seen",
        r#"$var(i) = 0;
           while ($var(i) < 300) {
               kazoo_subscribe("s.many", "topic", "s.many.$var(i)", "key.$var(i)");
               $var(i) = $var(i) + 1;
           }"#,
    );
    let shown = subscriptions(&kamailio);
    assert_eq!(shown.len(), 300);
    assert_eq!(shown[299]["queue"], "s.many.299");
    kamailio.stop();
}

#[test]
fn outside_of_mod_init_it_is_false() {
    needs!("kamailio", "kazoo", "rabbitmq");
    let _turn = turn::light();
    let kamailio = start(shared().request(
        r##"kazoo_subscribe("s.late", "topic", "s.late", "#"); $var(answer) = "" + $rc;
           kazoo_subscribe("{'exchange':'s.late','type':'topic','queue':'s.late','routing':'#'}");
           $var(answer) = $var(answer) + $rc;"##,
    ));
    assert_eq!(kamailio.sip().message("x", b""), "-1-1");
    assert_eq!(Bus::to(Rabbit::shared().port()).waiting("s.late"), None);
    let log = kamailio.stop();
    assert!(log.contains("mod-init"), "{log}");
}

#[test]
fn a_bad_subscription_is_an_error_at_start() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    for (document, named) in [
        ("", "JSON"),
        ("not json", "JSON"),
        ("[]", "object"),
        ("{'type':'topic','queue':'q','routing':'#'}", "exchange"),
        ("{'exchange':'e','queue':'q','routing':'#'}", "type"),
        (
            "{'exchange':'e','type':'topic','queue':'q','routing':5}",
            "routing",
        ),
        (
            "{'exchange':'e','type':'topic','queue':'q','exchange-bindings':[]}",
            "exchange-bindings",
        ),
    ] {
        let call = format!(r#"event_route[kazoo:mod-init] {{ kazoo_subscribe("{document}"); }}"#);
        let outcome = alone()
            .number("drain_timeout_ms", 100)
            .routes(&call)
            .outcome();
        let (status, log) = outcome.unwrap_or_else(|_| panic!("{document} was accepted"));
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{document}: {status}"
        );
        assert!(log.contains(named), "{document}: no {named} in\n{log}");
    }
}
