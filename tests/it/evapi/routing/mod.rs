//! The example `async-routing`: its kamailio.cfg, both its routing programs, and sipp at the ends.

mod stand;

use crate::require::needs;
use crate::{port, turn, wait};
use stand::{Routing, Running, example};

fn routes_calls(file: &str) {
    let _turn = turn::light();
    let mut routing = Routing::start();
    // Nobody to ask: the call is answered at once, by the script.
    routing.calls("caller_refused", "+4930123456");
    routing.route_with(file);
    routing.is_forked_serially("+4930123456");
    routing.is_forked_serially("4930123456");

    // In parallel: who answers has the call, the other's is cancelled.
    let ringing = routing.called("phone_rings", routing.gateways[0]);
    let answering = routing.called("phone_answers", routing.gateways[1]);
    routing.calls("caller", "support");
    ringing.ends_well();
    answering.ends_well();

    // A local extension goes to where it registered.
    let phone = port::free();
    let target = format!("127.0.0.1:{}", routing.sip);
    let key = ["-s", "bob", "-key", "phone", &phone.to_string(), &target];
    routing.party("register", port::free(), &key).ends_well();
    let answering = routing.called("phone_answers", phone);
    routing.calls("caller", "bob");
    answering.ends_well();

    for _ in 0..2 {
        routing.kill_router();
        routing.calls("caller_refused", "+4930123456");
        routing.route_with(file);
        routing.is_forked_serially("+4930123456");
    }
    routing.stop();
}

#[test]
fn the_program_in_node_routes_calls() {
    needs!(
        "kamailio",
        "evapi",
        "sipp",
        "node",
        "rtjson.so",
        "jansson.so"
    );
    routes_calls("router.js");
}

#[test]
fn the_program_in_python_routes_calls() {
    needs!(
        "kamailio",
        "evapi",
        "sipp",
        "python3",
        "rtjson.so",
        "jansson.so"
    );
    routes_calls("router.py");
}

/// The routing program at a harness that speaks for Kamailio.
fn survives_any_packets(file: &str, interpreter: &str) {
    use super::client::Client;
    let _turn = turn::light();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let args = [
        example().join(file).display().to_string(),
        address.to_string(),
    ];
    let _router = Running::start("router", interpreter, &args);
    let question = |number: u32| {
        let callee = if number.is_multiple_of(2) {
            "bob"
        } else {
            "+4930123456"
        };
        super::client::netstring(
            format!(
                "{{\"event\": \"sip-routing\", \"tindex\": {number}, \"tlabel\": 7,\n \"caller\": \"Jürgen\", \"callee\": \"{callee}\"}}"
            )
            .as_bytes(),
        )
    };
    let answers = |client: &mut Client, numbers: std::ops::Range<u32>| {
        for number in numbers {
            let answer: serde_json::Value = serde_json::from_slice(&client.frame()).unwrap();
            let routing = if number.is_multiple_of(2) {
                "location"
            } else {
                "serial"
            };
            assert_eq!(
                (&answer["xtra"]["tindex"], &answer["xtra"]["tlabel"]),
                (&number.into(), &7.into())
            );
            assert_eq!(answer["routing"], routing);
        }
    };
    // Twice: it comes back when the connection ended.
    for _ in 0..2 {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(wait::watchdog())).unwrap();
        let mut client = Client::over(stream);
        assert!(client.text().contains(file));
        // Many in one packet.
        let packet: Vec<u8> = (0..100).flat_map(question).collect();
        client.send_raw(&packet);
        answers(&mut client, 0..100);
        // One in many packets.
        for byte in (100..103).flat_map(question) {
            client.send_raw(&[byte]);
        }
        answers(&mut client, 100..103);
        // What is no question is passed over.
        client.send("not JSON");
        client.send("null");
        client.send("[1]");
        client.send_raw(&question(104));
        answers(&mut client, 104..105);
    }
}

#[test]
fn the_program_in_node_survives_any_packets() {
    needs!("node");
    survives_any_packets("router.js", "node");
}

#[test]
fn the_program_in_python_survives_any_packets() {
    needs!("python3");
    survives_any_packets("router.py", "python3");
}
