//! Whatever the script holds arrives unchanged: empty, binary, and as large as the server takes.

use crate::kamailio::{Config, Kamailio};
use crate::require::needs;
use crate::server::nats::Nats;
use crate::subscriber::Subscriber;
use crate::turn;

/// Publishes the body, doubled as often as the request's user part says.
const DOUBLED: &str = r#"
    $var(x) = $rb;
    $var(i) = 0;
    $var(times) = $(rU{s.int});
    while ($var(i) < $var(times)) { $var(x) = $var(x) + $var(x); $var(i) = $var(i) + 1; }
    nats_publish("payload", $var(x));
    $var(answer) = "rc=" + $rc;
"#;

/// 1 KiB in which each byte value occurs.
fn pattern() -> Vec<u8> {
    (0..=255).cycle().take(1024).collect()
}

fn started(nats: &Nats, request: &str) -> (Kamailio, Subscriber) {
    let subscriber = Subscriber::new(&nats.url(), "payload");
    let config = Config::at(&nats.url()).private_memory(32).request(request);
    (config.start().connected(), subscriber)
}

fn arrives_unchanged(body: &[u8], doubled: u32) {
    let nats = Nats::start();
    let (kamailio, subscriber) = started(&nats, DOUBLED);
    assert_eq!(kamailio.sip().message(&doubled.to_string(), body), "rc=1");
    let expected = body.repeat(1 << doubled);
    let payload = subscriber.only().payload;
    assert_eq!(payload.len(), expected.len());
    assert!(payload == expected, "the payload was changed on its way");
    kamailio.stop();
}

#[test]
fn an_empty_payload_arrives() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let request = r#"nats_publish("payload", ""); $var(answer) = "rc=" + $rc;
                     $var(e) = ""; nats_publish("payload", $var(e));
                     $var(answer) = $var(answer) + " rc=" + $rc;"#;
    let (kamailio, subscriber) = started(&nats, request);
    assert_eq!(kamailio.sip().message("x", b""), "rc=1 rc=1");
    assert!(
        subscriber
            .wait_for(2)
            .iter()
            .all(|message| message.payload.is_empty())
    );
    kamailio.stop();
}

#[test]
fn one_byte_arrives_whichever_it_is() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (kamailio, subscriber) = started(&nats, DOUBLED);
    let mut sip = kamailio.sip();
    for byte in 0..=255 {
        assert_eq!(sip.message("0", &[byte]), "rc=1", "byte {byte}");
    }
    // The workers' lanes are drained side by side, so the bytes arrive in any order.
    let mut arrived: Vec<u8> = subscriber
        .wait_for(256)
        .iter()
        .flat_map(|message| message.payload.to_vec())
        .collect();
    arrived.sort_unstable();
    assert_eq!(arrived, (0..=255).collect::<Vec<u8>>());
    kamailio.stop();
}

#[test]
fn every_byte_value_arrives() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    arrives_unchanged(&pattern(), 0);
}

#[test]
fn a_value_that_looks_like_script_is_not_evaluated() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    arrives_unchanged(b"$pp $var(i) $(rU{s.len}) $avp(x) $ %s \\ \"", 0);
}

#[test]
fn sixty_four_kibibytes_arrive() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    arrives_unchanged(&pattern(), 6);
}

#[test]
fn exactly_what_the_server_takes_at_most_arrives() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    arrives_unchanged(&pattern(), 10);
}

#[test]
fn several_variables_in_one_string_may_exceed_the_hosts_print_buffer() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let (kamailio, subscriber) = started(
        &nats,
        r#"$var(x) = $rb; nats_publish("payload", "a=$var(x) b=$var(x)$var(x) c=$rU");
           $var(answer) = "rc=" + $rc;"#,
    );
    let body = pattern().repeat(6);
    assert_eq!(kamailio.sip().message("end", &body), "rc=1");
    let expected = [b"a=", &body[..], b" b=", &body[..], &body[..], b" c=end"].concat();
    assert!(
        subscriber.only().payload == expected,
        "the payload was changed on its way"
    );
    kamailio.stop();
}

#[test]
fn large_and_small_payloads_keep_their_order() {
    needs!("kamailio", "nats");
    let _turn = turn::light();
    let nats = Nats::start();
    let subscriber = Subscriber::new(&nats.url(), "payload");
    // All fits into the queue, however late the engine gets its turn.
    let config = Config::at(&nats.url()).private_memory(32).request(
        r#"$var(x) = $rb; $var(i) = 0;
           while ($var(i) < 9) { $var(x) = $var(x) + $var(x); $var(i) = $var(i) + 1; }
           $var(i) = 0;
           while ($var(i) < 10) {
               nats_publish("payload", "small"); nats_publish("payload", $var(x));
               $var(i) = $var(i) + 1;
           }
           $var(answer) = "rc=" + $rc;"#,
    );
    let kamailio = config
        .number("queue_size", 16 * 1024 * 1024)
        .start()
        .connected();
    assert_eq!(kamailio.sip().message("x", &pattern()), "rc=1");
    let lengths: Vec<usize> = subscriber
        .wait_for(20)
        .iter()
        .map(|message| message.payload.len())
        .collect();
    assert_eq!(lengths, [5, 512 * 1024].repeat(10));
    kamailio.stop();
}
