//! JSON and keys in a script: the functions, in a real Kamailio.

use super::json::{DOCUMENT, with};
use crate::require::needs;
use crate::turn;

#[test]
fn kazoo_json_tells_missing_from_empty() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r#"$var(x) = "before"; $avp(x) = "before";
           kazoo_json("$var(json)", "$var(path)", "$avp(x)"); $var(rc) = $rc;
           if ($avp(x) == $null) { $var(shown) = "null"; } else { $var(shown) = "<" + $avp(x) + ">"; }
           kazoo_json($var(json), $var(path), $var(x)); $var(second) = $rc;
           $var(answer) = "" + $var(rc) + " " + $var(shown) + " " + $var(second);"#,
    );
    let mut sip = kamailio.sip();
    for (path, expected) in [
        ("text", "1 <hello> 1"),
        ("empty", "1 <> 1"),
        ("missing", "1 null 1"),
        ("nothing", "1 null 1"),
        ("object.a.deep", "1 <found> 1"),
        ("number", "1 <1.50> 1"),
        ("10%0%0%1.token", "1 <dotted> 1"),
    ] {
        let body = format!("{}|{path}", DOCUMENT.replace('\n', ""));
        assert_eq!(sip.message("x", body.as_bytes()), expected, "{path}");
    }
    assert_eq!(sip.message("x", b"not json|a"), "1 null 1");
    kamailio.stop();
}

#[test]
fn kazoo_json_sets_what_can_be_set() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r#"kazoo_json("$var(json)", "uri", "$du");
           kazoo_json("$var(json)", "n", "$avp(s:n)");
           kazoo_json("$var(json)", "x", "$xavp(a=>b)");
           kazoo_json("$var(json)", "$$none", "$var(none)");
           $var(answer) = $du + " " + $avp(s:n) + " " + $xavp(a=>b);"#,
    );
    let answer = kamailio
        .sip()
        .message("x", br#"{"uri":"sip:1.2.3.4:5060","n":7,"x":[1]}"#);
    assert_eq!(answer, "sip:1.2.3.4:5060 7 [ 1 ]");
    kamailio.stop();
}

#[test]
fn keys_come_in_an_avp_with_the_last_on_top() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r#"$avp(k) = "kept";
           kazoo_json_keys("$var(json)", "$var(path)", "$avp(k)");
           $var(answer) = "" + $rc;
           $var(i) = 0;
           while ($(avp(k)[$var(i)]) != $null) {
               $var(answer) = $var(answer) + " " + $(avp(k)[$var(i)]);
               $var(i) = $var(i) + 1;
           }"#,
    );
    let mut sip = kamailio.sip();
    let document = r#"{"b":1,"a":{"x":1,"y":{"z":2}},"text":"t","list":[1]}"#;
    for (path, expected) in [
        ("a", "1 y x kept"),
        ("a.y", "1 z kept"),
        ("missing", "1 kept"),
    ] {
        let body = format!("{document}|{path}");
        assert_eq!(sip.message("x", body.as_bytes()), expected, "{path}");
    }
    // What has no keys is left alone.
    for path in ["text", "list"] {
        let body = format!("{document}|{path}");
        let answer = sip.message("x", body.as_bytes());
        assert!(
            answer.ends_with(" kept") && !answer.contains('z'),
            "{path}: {answer}"
        );
    }
    assert!(sip.message("x", b"not json|a").ends_with("kept"));
    kamailio.stop();
}

#[test]
fn routing_keys_are_encoded() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r##"kazoo_encode("$rb", "$var(x)"); $var(rc) = $rc;
           $var(answer) = "" + $var(rc) + " " + $var(x) + " " + $(rb{kz.encode});"##,
    );
    let mut sip = kamailio.sip();
    for (text, encoded) in [
        ("sip:a@b.com", "sip%3Aa%40b%2Ecom"),
        ("a b+c/d", "a+b%2Bc%2Fd"),
        ("1-5339@10.0.0.20", "1-5339%4010%2E0%2E0%2E20"),
        ("%", "%25"),
        ("A-Za-z0-9~_", "A-Za-z0-9~_"),
        ("#", "#"),
        ("*", "*"),
        ("##", "%23%23"),
        ("a*", "a%2A"),
        ("é", "%C3%A9"),
        ("日", "%E6%97%A5"),
    ] {
        let expected = format!("1 {encoded} {encoded}");
        assert_eq!(sip.message("x", text.as_bytes()), expected, "{text}");
    }
    let all_escaped = "@".repeat(255);
    let answer = sip.message("x", all_escaped.as_bytes());
    assert!(
        answer.starts_with(&format!("1 {} ", "%40".repeat(255))),
        "{answer}"
    );
    assert!(sip.message("x", &[b'a'; 256]).starts_with("-1 "));
    kamailio.stop();
}
