//! Frames by their size: large ones come whole, and the largest is a parameter.

use super::client::{Client, netstring};
use super::listener::on;
use crate::require::needs;
use crate::{port, turn};

#[test]
fn large_frames_arrive_and_come_back_whole() {
    needs!("kamailio", "evapi");
    let _turn = turn::alone();
    let port = port::free();
    let kamailio = on(port)
        .private_memory(96)
        .before("pv_buffer_size=1048700")
        .number("queue_size", 8 * 1024 * 1024)
        .number("message_size_max", 2 * 1024 * 1024)
        .routes(r#"event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    for size in [
        32 * 1024 - 1,
        32 * 1024,
        64 * 1024,
        1024 * 1024 - 1,
        1024 * 1024,
    ] {
        let data: Vec<u8> = (0..size)
            .map(|at| b'a' + u8::try_from(at % 23).unwrap())
            .collect();
        client.send(&data);
        let back = client.frame();
        assert_eq!(back.len(), size);
        assert!(back == data, "{size} bytes came back changed");
    }
    // One more byte than is allowed, and the connection ends.
    client.try_send_raw(&netstring(&vec![b'x'; 1024 * 1024 + 1]));
    assert!(client.rest().is_empty());
    kamailio.stop();
}

#[test]
fn the_largest_frame_is_a_parameter() {
    needs!("kamailio", "evapi");
    let _turn = turn::light();
    let port = port::free();
    let kamailio = on(port)
        .number("frame_size_max", 100)
        .routes(r#"event_route[evapi:message-received] { evapi_relay("$(evapi(msg){s.len})"); }"#)
        .start();
    let mut client = Client::connect(&kamailio, port);
    client.send([b'x'; 100]);
    assert_eq!(client.text(), "100");
    client.try_send_raw(&netstring(&[b'x'; 101]));
    assert!(client.rest().is_empty());
    let log = kamailio.stop();
    assert!(log.contains("frame_size_max = 100"), "{log}");
}
