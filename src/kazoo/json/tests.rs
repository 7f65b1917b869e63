use super::plain::plain_len;
use super::{DEPTH_MAX, Mistake, Value, parse};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

fn written(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    parse(text).ok()?.write(&mut bytes);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What json-c 0.16 makes of these.
#[test]
fn the_dialect_is_read_and_the_spaced_form_written() {
    for (text, expected) in [
        ("{'a':1,}", r#"{ "a": 1 }"#),
        ("{}", "{ }"),
        ("[]", "[ ]"),
        (r#""x""#, r#""x""#),
        ("[1,]", "[ 1 ]"),
        (r#"['a"b']"#, r#"[ "a\"b" ]"#),
        (r#"["a'b"]"#, r#"[ "a'b" ]"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{ "a": 3, "b": 2 }"#),
        ("/* c */ {\"a\" /*x*/ : // y\n 1} rest", r#"{ "a": 1 }"#),
        ("{\"a\":1}}", r#"{ "a": 1 }"#),
        ("5abc", "5"),
        ("\t\r\n 1", "1"),
        ("[1/**/,2]", "[ 1, 2 ]"),
        ("{} // the end", "{ }"),
        ("[TRUE,fALSE,NULL,nan]", "[ true, false, null, NaN ]"),
        ("[Infinity,-infinity]", "[ Infinity, -Infinity ]"),
        ("[\"a\nb\u{1}\u{7f}\"]", "[ \"a\\nb\\u0001\u{7f}\" ]"),
        (r#"["\b\f\n\r\t\"\\\/"]"#, r#"[ "\b\f\n\r\t\"\\\/" ]"#),
        ("[\"é/\u{1f600}\"]", "[ \"é\\/\u{1f600}\" ]"),
        (r#"["\u00e9\ud83d\ude00"]"#, "[ \"é\u{1f600}\" ]"),
        (r#"["\ud800x\udc00"]"#, "[ \"\u{fffd}x\u{fffd}\" ]"),
        (
            r#"["\ud83d\u0041\ud83d\n"]"#,
            "[ \"\u{fffd}A\u{fffd}\\n\" ]",
        ),
        (
            r#"{"a":[{"b":[1,2,{}],"c":[]}]}"#,
            r#"{ "a": [ { "b": [ 1, 2, { } ], "c": [ ] } ] }"#,
        ),
        (r#"{"":null}"#, r#"{ "": null }"#),
        ("{}\0garbage", "{ }"),
    ] {
        assert_eq!(
            written(text.as_bytes()).as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn numbers_keep_their_text() {
    for (text, expected) in [
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("1E+3", "1E+3"),
        ("-0.0", "-0.0"),
        ("12345678901234567890", "12345678901234567890"),
        ("99999999999999999999999", "99999999999999999999999"),
        // What would be no JSON is made so.
        ("007", "7"),
        ("-007", "-7"),
        ("-0", "0"),
        ("000", "0"),
        ("01.5", "1.5"),
        ("-.5", "-0.5"),
        ("1.", "1.0"),
        ("1e", "1"),
        ("1e+", "1"),
        ("1.e5", "1.0e5"),
    ] {
        assert_eq!(
            written(text.as_bytes()).as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn what_json_c_refuses_is_refused() {
    for text in [
        "",
        "  ",
        "{a:1}",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1",
        "{\"a\":",
        "{\"a\"",
        "{,}",
        "[,1]",
        "[1,,2]",
        "[",
        "\"abc",
        "\"abc\\",
        "[5abc]",
        "[nul]",
        "[nulla]",
        "[0x10]",
        "[+1]",
        "[.5]",
        "[-]",
        "[-.]",
        "[1.-5]",
        "[\"\\u12\"]",
        "[\"\\u12",
        "[\"\\x\"]",
        "/",
        "/* x",
        "/x/ 1",
        "[1 /x]",
        "\0{}",
        "{\"a\0\":1}",
    ] {
        assert!(
            matches!(parse(text.as_bytes()), Err(Mistake::Syntax { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_mistake_says_where() {
    let mistake = parse(b"{\"a\":1,b}").unwrap_err();
    assert_eq!(
        mistake.to_string(),
        "no JSON: at byte 7 a name must stand in quotes"
    );
    let mistake = parse(b"{\"a\":1,").unwrap_err();
    assert_eq!(mistake.to_string(), "no JSON: at byte 7 it ends too early");
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
    assert!(parse(&[b'['; 1 << 20]).is_err());
}

#[test]
fn bytes_that_are_no_utf8_are_passed_on() {
    let value = parse(b"[\"\xff\xc3\"]").unwrap();
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    assert_eq!(bytes, b"[ \"\xff\xc3\" ]");
}

#[test]
fn many_members_and_double_names_are_read_in_good_time() {
    let mut text = b"{".to_vec();
    for number in 0..100_000 {
        text.extend_from_slice(format!("\"n{}\":{number},", number % 60_000).as_bytes());
    }
    text.push(b'}');
    let value = parse(&text).unwrap();
    let object = value.object().unwrap();
    assert_eq!(object.len(), 60_000);
    let (first, last) = (object.iter().next().unwrap(), value.get("n59999").unwrap());
    assert_eq!((first.0, &*first.1.text()), (&b"n0"[..], &b"60000"[..]));
    assert_eq!(&*last.text(), b"59999");
}

#[test]
fn the_text_of_a_value_is_what_a_script_sees() {
    let value = parse(b"{'t':'a/b','n':1.50,'b':TRUE,'l':[1,'x'],'o':{'k':'v'},'z':null}").unwrap();
    for (name, expected) in [
        ("t", "a/b"),
        ("n", "1.50"),
        ("b", "true"),
        ("l", "[ 1, \"x\" ]"),
        ("o", "{ \"k\": \"v\" }"),
    ] {
        assert_eq!(&*value.get(name).unwrap().text(), expected.as_bytes());
    }
    assert_eq!(value.get("z"), None);
    assert_eq!(&*Value::Null.text(), b"");
}

#[test]
fn options_are_integers_in_any_form() {
    for (text, expected) in [
        ("1", 1),
        ("-5", -5),
        ("'1'", 1),
        ("' 7x'", 7),
        ("true", 1),
        ("false", 0),
        ("'true'", 0),
        ("2.9", 2),
        ("'+3'", 3),
        ("99999999999999999999", i64::MAX),
        ("-99999999999999999999", i64::MIN),
        ("[]", 0),
        ("null", 0),
    ] {
        assert_eq!(
            parse(text.as_bytes()).unwrap().integer(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn members_are_set_in_place_and_taken_out() {
    let Value::Object(mut object) = parse(b"{'a':1,'b':2}").unwrap() else {
        panic!("an object");
    };
    object.set("a", Value::from_text(b"x"));
    object.set("c", Value::Bool(true));
    assert_eq!(object.remove("b"), Some(Value::from_number(2)));
    assert_eq!(object.remove("b"), None);
    let mut bytes = Vec::new();
    Value::Object(object).write(&mut bytes);
    assert_eq!(bytes, br#"{ "a": "x", "c": true }"#);
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (-1e300..1e300).prop_map(serde_json::Value::from),
        any::<String>()
            .prop_map(|text| text.replace('\0', "0"))
            .prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 64, 20, |inner| {
        let name = any::<String>().prop_map(|text| text.replace('\0', "0"));
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(name, inner, 0..20)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn the_plain_part_ends_at_the_first_end(length in 0..70_usize, ends in 0..90_usize) {
        let mut text = vec![b'x'; length];
        text.get_mut(ends..).unwrap_or_default().fill(b'"');
        assert_eq!(plain_len(&text, |byte| byte == b'"'), length.min(ends));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes: Vec<u8>) {
        drop(parse(&bytes));
    }

    #[test]
    fn hostile_texts_never_panic(
        bytes in proptest::collection::vec(
            proptest::sample::select(b"{}[]\"'\\,:/*-+.eEu0d8cNnIiTtfF \n\0".to_vec()), 0..60),
    ) {
        if let Ok(value) = parse(&bytes) {
            // What was read is written as sound JSON, that reads as the same.
            let mut written = Vec::new();
            value.write(&mut written);
            assert_eq!(parse(&written), Ok(value));
        }
    }

    #[test]
    fn standard_json_means_the_same(document in document()) {
        let text = document.to_string();
        let mut written = Vec::new();
        parse(text.as_bytes()).unwrap().write(&mut written);
        let again: serde_json::Value = serde_json::from_slice(&written).unwrap();
        // Read from its text, too: that may round a number.
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(&text).unwrap());
    }
}
