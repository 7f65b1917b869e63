use super::{FIELD_BYTES_MAX, Package, Row, Style, package, row};
use crate::kazoo::json::{Value, parse};
use proptest::prelude::proptest;

const NOW: i64 = 1_700_000_000;

const STYLE: Style = Style {
    include_entity: true,
    full_entity: false,
};

fn json(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn made(text: &str, package: Package) -> Row {
    row(&json(text), package, STYLE, NOW).unwrap()
}

fn body(row: &Row) -> String {
    String::from_utf8(row.body.clone()).unwrap()
}

const DIALOG: &str = r#"{ "From": "sip:a@r", "From-User": "a", "From-Realm": "r", "From-Tag": "f",
    "To": "sip:b@r", "To-User": "b", "To-Realm": "r", "To-URI": "sip:b@10.0.0.1", "State": "early",
    "Direction": "initiator", "Call-ID": "c", "Switch-URI": "sip:sw", "Expires": 60 }"#;

#[test]
fn updates_of_known_packages_are_told_apart() {
    for (name, event, expected) in [
        ("update", "dialog", Some(Package::Dialog)),
        ("update", "message-summary", Some(Package::MessageSummary)),
        ("update", "presence", Some(Package::Presence)),
        ("update", "other", None),
        ("probe", "dialog", None),
    ] {
        let message = json(&format!(
            r#"{{ "Event-Name": "{name}", "Event-Package": "{event}" }}"#
        ));
        assert_eq!(package(&message), expected);
    }
    assert_eq!(package(&json("[]")), None);
}

#[test]
fn a_call_is_a_dialog() {
    let row = made(DIALOG, Package::Dialog);
    assert_eq!(row.event, "dialog");
    assert_eq!(
        (row.domain.as_slice(), row.username.as_slice()),
        (&b"r"[..], &b"a"[..])
    );
    assert_eq!(
        (row.etag.as_slice(), row.sender.as_slice()),
        (&b"c"[..], &b"sip:sw"[..])
    );
    assert_eq!((row.expires, row.reset), (NOW + 60, 0));
    assert_eq!(
        body(&row),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\" state=\"full\" entity=\"sip:a@r\">\
         <dialog id=\"c\" call-id=\"c\" local-tag=\"f\" direction=\"initiator\"><state>early</state>\
         <local><identity display=\"a\">sip:a@r</identity><target uri=\"sip:a@r\"/></local>\
         <remote><identity display=\"b\">sip:b@r</identity><target uri=\"sip:b@10.0.0.1\"/></remote>\
         </dialog></dialog-info>"
    );
}

#[test]
fn a_dialog_may_be_somebody_elses_lamp() {
    let whole = DIALOG.replace(
        "{ \"From\"",
        "{ \"Presentity\": \"sip:p@q\", \"Presentity-User\": \"p\", \"Presentity-Realm\": \"q\", \
         \"Flush-Level\": 2, \"Dialog-ID\": \"d\", \"ETag\": \"e\", \"From\"",
    );
    let row = made(&whole, Package::Dialog);
    assert_eq!(
        (row.domain.as_slice(), row.username.as_slice()),
        (&b"q"[..], &b"p"[..])
    );
    assert_eq!((row.reset, row.etag.as_slice()), (2, &b"e"[..]));
    assert!(body(&row).contains("entity=\"sip:p@q\"") && body(&row).contains("dialog id=\"d\""));
    let partly = whole.replace("Presentity-Realm", "X");
    assert_eq!(made(&partly, Package::Dialog).username, b"a");
}

#[test]
fn no_call_is_a_dialog_that_ended() {
    let row = made(
        &DIALOG.replace("Call-ID", "X").replace("Switch-URI", "Y"),
        Package::Dialog,
    );
    assert!(body(&row).contains("<state>terminated</state>"));
    assert_eq!(
        (row.sender.as_slice(), row.etag.as_slice()),
        (&b"sip:"[..], &b""[..])
    );
}

#[test]
fn targets_can_be_left_out() {
    let style = Style {
        include_entity: false,
        ..STYLE
    };
    let row = row(&json(DIALOG), Package::Dialog, style, NOW).unwrap();
    assert!(!body(&row).contains("<target"));
}

#[test]
fn a_flush_never_takes_other_events_along() {
    for (level, expected) in [
        ("0", 0),
        ("1", 1),
        ("3", 3),
        ("4", 3),
        ("99", 3),
        ("-1", 0),
        ("'2'", 2),
    ] {
        let text = DIALOG.replace("{ ", &format!("{{ \"Flush-Level\": {level}, "));
        assert_eq!(made(&text, Package::Dialog).reset, expected);
    }
}

#[test]
fn waiting_messages_are_a_summary() {
    let row = made(
        r#"{ "From": "sip:a@r", "From-User": "a", "From-Realm": "r", "Sender-URI": "sip:no",
             "Messages-Waiting": "yes", "Message-Account": "sip:a@r", "Messages-New": 2,
             "Messages-Saved": "3", "Messages-Urgent": 1, "Messages-Urgent-Saved": "0",
             "Call-ID": "c", "Expires": 0 }"#,
        Package::MessageSummary,
    );
    assert_eq!(
        body(&row),
        "Messages-Waiting: yes\r\nMessage-Account: sip:a@r\r\nVoice-Message: 2/3 (1/0)\r\n"
    );
    assert_eq!(
        (row.sender.as_slice(), row.expires, row.reset),
        (&b"sip:a@r"[..], 0, 1)
    );
    let forged = made(
        r#"{ "Messages-Waiting": "yes\r\nX: y" }"#,
        Package::MessageSummary,
    );
    assert_eq!(
        body(&forged),
        "Messages-Waiting: yes  X: y\r\nVoice-Message: 0/0 (0/0)\r\n"
    );
}

#[test]
fn states_are_presence() {
    for (state, basic, note, activity) in [
        ("early", "open", "Busy", "<rpid:busy/>"),
        ("confirmed", "open", "On the Phone", "<rpid:on-the-phone/>"),
        ("offline", "closed", "Offline", ""),
        ("terminated", "open", "Available", ""),
    ] {
        let text = DIALOG.replace("early", state);
        let row = made(&text, Package::Presence);
        let body = body(&row);
        assert!(body.contains(&format!("<basic>{basic}</basic>")), "{body}");
        assert!(body.contains(&format!("<note>{note}</note>")), "{body}");
        assert!(
            body.contains(&format!("<rpid:activities>{activity}</rpid:activities>")),
            "{body}"
        );
        assert!(
            body.contains("entity=\"a\"") && body.contains("<tuple id=\"c\">"),
            "{body}"
        );
        assert_eq!((row.reset, row.sender.as_slice()), (1, &b"sip:sw"[..]));
    }
    let full = Style {
        full_entity: true,
        ..STYLE
    };
    let row = row(&json(DIALOG), Package::Presence, full, NOW).unwrap();
    assert!(body(&row).contains("entity=\"sip:a@r\""));
}

#[test]
fn what_must_be_there_is_named() {
    for (missing, package) in [
        ("From", Package::Dialog),
        ("To", Package::Dialog),
        ("State", Package::Dialog),
        ("From-User", Package::Presence),
        ("To-User", Package::Presence),
        ("State", Package::Presence),
    ] {
        let text = DIALOG.replace(&format!("\"{missing}\""), "\"X\"");
        let why = row(&json(&text), package, STYLE, NOW).unwrap_err();
        assert_eq!(why, format!("{missing} is missing"));
    }
}

#[test]
fn fields_have_a_limit() {
    let text = |bytes| DIALOG.replace("\"c\"", &format!("\"{}\"", "c".repeat(bytes)));
    assert!(row(&json(&text(FIELD_BYTES_MAX)), Package::Dialog, STYLE, NOW).is_ok());
    let why = row(
        &json(&text(FIELD_BYTES_MAX + 1)),
        Package::Dialog,
        STYLE,
        NOW,
    )
    .unwrap_err();
    assert!(why.contains("Call-ID"), "{why}");
}

#[test]
fn xml_is_escaped() {
    let text = DIALOG
        .replace("\"a\"", r#""<a & \"b\">'""#)
        .replace("\"f\"", r#""\u0001\t\"><x""#);
    let body = body(&made(&text, Package::Dialog));
    assert!(
        body.contains("display=\"&lt;a &amp; &quot;b&quot;&gt;&apos;\""),
        "{body}"
    );
    assert!(
        body.contains("local-tag=\"\u{fffd}&#9;&quot;&gt;&lt;x\""),
        "{body}"
    );
    let broken = DIALOG
        .as_bytes()
        .iter()
        .map(|byte| if *byte == b'f' { 0xff } else { *byte });
    let message = parse(&broken.collect::<Vec<_>>()).unwrap();
    let made = row(&message, Package::Dialog, STYLE, NOW).unwrap();
    assert!(std::str::from_utf8(&made.body).is_ok());
}

#[test]
fn the_end_is_a_time_or_as_given() {
    for (expires, expected) in [
        ("3600", NOW + 3600),
        ("'60'", NOW + 60),
        ("0", 0),
        ("-1", -1),
        ("99999999999999999999", i64::from(i32::MAX)),
        ("null", 0),
    ] {
        let text = DIALOG.replace("\"Expires\": 60", &format!("\"Expires\": {expires}"));
        assert_eq!(made(&text, Package::Dialog).expires, expected);
    }
}

proptest! {
    #[test]
    fn any_text_makes_sound_markup(text: String) {
        let value = serde_json::Value::from(text.replace('\0', "0")).to_string();
        let message = json(&DIALOG.replace("\"early\"", &value).replace("\"b\"", &value));
        if let Ok(row) = row(&message, Package::Dialog, STYLE, NOW) {
            let body = body(&row);
            assert_eq!(body.matches('<').count(), body.matches('>').count());
            assert_eq!(body.matches('"').count() % 2, 0);
        }
    }
}
