//! Certificates are read again while messages are on their way: none is lost, none comes twice.

use async_nats::ConnectOptions;

use super::properties;
use super::proxy::Proxy;
use super::secure_kafka::SecureKafka;
use crate::certificates::Certificates;
use crate::kamailio::{Config, Kamailio};
use crate::kazoo::broker;
use crate::kazoo::bus::Bus;
use crate::require::needs;
use crate::server::nats::Nats;
use crate::server::rabbitmq::Rabbit;
use crate::sipp::Sipp;
use crate::subscriber::Subscriber;
use crate::tally::Tally;
use crate::{turn, wait};

/// Messages of a test, and how many a second.
const COUNT: u32 = 3000;
const RATE: u32 = 600;

/// Counts what the event route is given.
const COUNTS: &str = "$var(count) = $shtinc(count=>handled);";

/// Reloads three times while sipp's messages are published, each time with the other certificate; and
/// once what cannot be read, which changes nothing. `connections` are made again each time.
fn under_load(kamailio: &Kamailio, made: &Certificates, module: &str, connections: u64) {
    let load = Sipp::start("message.xml", kamailio.port(), RATE, COUNT);
    let reload = format!("{module}.tls_reload");
    for (round, name) in ["second", "client", "second"].into_iter().enumerate() {
        let round = round as u64 + 1;
        kamailio.wait_counter("accepted", round * 600);
        made.renew("shown", name);
        assert_eq!(kamailio.rpc(&reload, &[]), "OK");
        kamailio.wait_counter("tls_renewals", round * connections);
        made.spoil("shown.pem");
        let why = kamailio.try_rpc(&reload, &[]).unwrap_err();
        assert!(why.contains("shown.pem"), "{why}");
        assert_eq!(kamailio.connector()["state"], "connected");
    }
    load.succeed();
    assert_eq!(kamailio.counter("tls_renewals"), 3 * connections);
    assert_eq!(kamailio.counter("reconnects"), 0);
}

/// Everything arrived once.
fn whole(tally: &Tally) {
    assert_eq!((tally.unique(), tally.duplicates()), (COUNT as usize, 0));
}

#[test]
fn nats_goes_on_with_new_certificates() {
    needs!("kamailio", "nats", "sipp");
    let _turn = turn::alone();
    let made = Certificates::new();
    made.renew("shown", "client");
    let nats = Nats::with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        made.path("server.pem"),
        made.path("server.key"),
        made.path("ca.pem"),
    ));
    let url = format!("tls://localhost:{}", nats.port());
    let options = ConnectOptions::new()
        .add_root_certificates(made.path("ca.pem").into())
        .add_client_certificate(
            made.path("client.pem").into(),
            made.path("client.key").into(),
        );
    let seen = Subscriber::with_options(options, &url, "paced");
    let kamailio = Config::at(&url)
        .nats("tls_ca_file", &made.path("ca.pem"))
        .nats("tls_cert_file", &made.path("shown.pem"))
        .nats("tls_key_file", &made.path("shown.key"))
        .nats("subject_queue_group", "paced:all")
        .before("loadmodule \"textops.so\"")
        .request(
            r#"if (!nats_publish("paced", "sipp:$hdr(X-Number)")) {
                   sl_send_reply("503", "Refused"); exit;
               }"#,
        )
        .routes(&format!("event_route[nats:paced] {{ {COUNTS} }}"))
        .start()
        .connected();
    under_load(&kamailio, &made, "nats", 2);
    kamailio.wait_counter("delivered", u64::from(COUNT));
    wait::until("all arrived", || seen.count() >= COUNT as usize);
    whole(&Tally::over(seen.texts()));
    wait::until("all were consumed", || {
        kamailio.counted("handled") >= u64::from(COUNT)
    });
    assert_eq!(kamailio.counted("handled"), u64::from(COUNT));
    // One that the server refuses: the connections stay.
    made.renew("shown", "stranger");
    assert_eq!(kamailio.rpc("nats.tls_reload", &[]), "OK");
    wait::until("the refusal is told", || {
        kamailio.log().contains("the old one stays")
    });
    assert_eq!(kamailio.connector()["state"], "connected");
    kamailio.stop();
}

#[test]
fn amqp_goes_on_with_new_certificates() {
    needs!("kamailio", "kazoo", "rabbitmq", "sipp");
    let _turn = turn::alone();
    let made = Certificates::new();
    made.renew("shown", "client");
    let rabbit = Rabbit::shared();
    let proxy = Proxy::before(rabbit.port(), &made, "server", true);
    let bus = Bus::to(rabbit.port());
    let seen = bus.listen("tls.reload", "topic", "#");
    let kamailio = broker::start(
        broker::alone()
            .text_param(
                "amqp_connection",
                &format!("amqps://guest:guest@localhost:{}", proxy.port()),
            )
            .text_param("amqps_ca_cert", &made.path("ca.pem"))
            .text_param("amqps_cert", &made.path("shown.pem"))
            .text_param("amqps_key", &made.path("shown.key"))
            .before("loadmodule \"textops.so\"")
            .request(
                r#"if (!kazoo_publish("tls.reload", "sipp:$hdr(X-Number)", "{}")) {
                       sl_send_reply("503", "Refused"); exit;
                   }"#,
            )
            .routes(&format!(
                r#"event_route[kazoo:mod-init] {{
                       kazoo_subscribe("{{'exchange':'tls.reload','type':'topic','queue':'tls.reload.q','routing':'#','no_ack':0,'wait_for_consumer_ack':1}}");
                   }}
                   event_route[kazoo:consumer-event] {{
                       if ($(kzE{{kz.json,Event-Category}}) == "connection") {{ exit; }}
                       {COUNTS}
                   }}"#
            )),
    );
    under_load(&kamailio, &made, "kazoo", 3);
    kamailio.wait_counter("confirmed", u64::from(COUNT));
    let arrived = seen.wait_for(COUNT as usize);
    whole(&Tally::over(arrived.into_iter().map(|message| message.key)));
    kamailio.wait_counted("handled", u64::from(COUNT));
    assert_eq!(kamailio.counted("handled"), u64::from(COUNT));
    assert_eq!(kamailio.counter("redelivered"), 0);
    assert_eq!(
        (proxy.saw(&made, "client"), proxy.saw(&made, "second")),
        (6, 6)
    );
    kamailio.stop();
}

/// What the connector is told of such a cluster.
fn secured(secure: &SecureKafka, before: &str, between: &str) -> String {
    properties(&secure.client("ca.pem"), before, between)
}

/// A configuration, and the call that publishes, stand the load; each message is there.
fn goes_on(secure: &SecureKafka, config: Config, publish: &str) -> Kamailio {
    let module = config.module;
    let kamailio = config
        .before("loadmodule \"textops.so\"")
        .request(&format!(
            r#"if (!{publish}) {{ sl_send_reply("503", "Refused"); exit; }}"#
        ))
        .start()
        .connected();
    under_load(&kamailio, &secure.made, module, 1);
    kamailio.wait_counter("delivered", u64::from(COUNT));
    // What could not be confirmed within 5 seconds is sent again, and may be there twice.
    let mut topic = secure.kafka.records(&secure.topic);
    wait::until("all are there", || {
        let texts = topic.records().iter().map(|record| record.text());
        Tally::over(texts).unique() == COUNT as usize
    });
    assert!(secure.proxy.saw(&secure.made, "second") > 0);
    kamailio
}

#[test]
fn kafka_goes_on_with_new_certificates() {
    needs!("kamailio", "event_kafka", "tansu", "sipp");
    let _turn = turn::alone();
    let secure = SecureKafka::start();
    let (topic, bootstrap) = (&secure.topic, secure.kafka.bootstrap());
    let socket = format!("[k1]{bootstrap}/{topic}?{}", secured(&secure, "g.", "&"));
    let config = Config::of("event_kafka").text_param("broker_id", &socket);
    let publish = r#"kafka_publish("k1", "sipp:$hdr(X-Number)")"#;
    goes_on(&secure, config, publish).stop();
}

#[test]
fn kafka_consumers_go_on_with_new_certificates() {
    needs!("kamailio", "event_kafka", "tansu");
    let _turn = turn::light();
    const EACH: u64 = 50;
    let secure = SecureKafka::start();
    let (topic, made) = (&secure.topic, &secure.made);
    let consume = format!(
        "brokers={};group={topic};topics={topic};t.auto.offset.reset=earliest;g.session.timeout.ms=6000;{}",
        secure.kafka.bootstrap(),
        secured(&secure, "g.", ";")
    );
    let kamailio = Config::of("event_kafka")
        .text_param("consume", &consume)
        .before("modparam(\"htable\", \"htable\", \"seen=>size=8;\")")
        .routes(&format!(
            r#"event_route[kafka:{topic}] {{
                   if ($sht(seen=>$kafka(msg)) == $null) {{ {COUNTS} }}
                   $sht(seen=>$kafka(msg)) = 1;
               }}"#
        ))
        .start();
    let records = secure.kafka.records(topic);
    for (round, name) in (0..).zip(["second", "client", "second"]) {
        for number in 0..EACH {
            records.publish(&format!("k{number}"), &format!("{round}:{number}"));
        }
        wait::until("all were consumed", || {
            kamailio.counted("handled") == (round + 1) * EACH
        });
        made.renew("shown", name);
        assert_eq!(kamailio.rpc("event_kafka.tls_reload", &[]), "OK");
        kamailio.wait_counter("tls_renewals", round + 1);
    }
    wait::until("the new one is shown", || {
        secure.proxy.saw(made, "second") > 0
    });
    // Also when it is told again while it joins its group.
    for name in ["client", "second", "client"] {
        made.renew("shown", name);
        assert_eq!(kamailio.rpc("event_kafka.tls_reload", &[]), "OK");
        kamailio.wait_counter("tls_renewals", 4);
    }
    for number in 0..EACH {
        records.publish(&format!("k{number}"), &format!("again:{number}"));
    }
    wait::until("all were consumed", || {
        kamailio.counted("handled") == 4 * EACH
    });
    kamailio.stop();
}

#[test]
fn kafka_so_goes_on_with_new_certificates() {
    needs!("kamailio", "kafka_module", "tansu", "sipp");
    let _turn = turn::alone();
    let secure = SecureKafka::start();
    let config = Config::of("kafka")
        .text_param("brokers", secure.kafka.bootstrap())
        .text_param("configuration", &secured(&secure, "", ";"))
        .number("metadata_timeout", 30_000)
        .text_param("topic", &format!("name={}", secure.topic));
    let publish = format!(r#"kafka_send("{}", "sipp:$hdr(X-Number)")"#, secure.topic);
    goes_on(&secure, config, &publish).stop();
}
