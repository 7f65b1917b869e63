//! JSON in a script: the transformations, in a real Kamailio.

use super::broker::alone;
use crate::kamailio::Kamailio;
use crate::require::needs;
use crate::turn;

/// The request's body is `DOCUMENT|PATH`.
const SPLIT: &str = r#"$var(json) = $(rb{s.select,0,|}); $var(path) = $(rb{s.select,1,|});"#;

pub(super) fn with(statements: &str) -> Kamailio {
    let config = alone().number("drain_timeout_ms", 100);
    config.request(&format!("{SPLIT}\n{statements}")).start()
}

pub(super) const DOCUMENT: &str = r#"{"text":"hello","number":1.50,"large":12345678901234567890,"exp":1e3,
    "yes":true,"no":false,"nothing":null,"empty":"","slash":"a/b","quote":"a\"b","uni":"Jürgen",
    "object":{"b":1,"a":{"deep":"found"}},"list":["zero","one",{"name":"two"},[3]],
    "10.0.0.1":{"token":"dotted"},"with space":"blank","a-b_c":"dash","":"unnamed"}"#;

/// Path, what the transformation gives, and what counts gives.
const PATHS: [(&str, &str, &str); 32] = [
    ("text", "hello", "0"),
    ("number", "1.50", "0"),
    ("large", "12345678901234567890", "0"),
    ("exp", "1e3", "0"),
    ("yes", "true", "0"),
    ("no", "false", "0"),
    ("nothing", "", "0"),
    ("empty", "", "0"),
    ("slash", "a/b", "0"),
    ("quote", "a\"b", "0"),
    ("uni", "Jürgen", "0"),
    ("object", r#"{ "b": 1, "a": { "deep": "found" } }"#, "0"),
    ("object.a", r#"{ "deep": "found" }"#, "0"),
    ("object.a.deep", "found", "0"),
    ("object.a.deep.deeper", "", "0"),
    (
        "list",
        r#"[ "zero", "one", { "name": "two" }, [ 3 ] ]"#,
        "4",
    ),
    ("list[0]", "zero", "0"),
    ("list[1]", "one", "0"),
    ("list[2].name", "two", "0"),
    ("list[3]", "[ 3 ]", "1"),
    ("list[4]", "", "0"),
    ("list[-1]", "", "0"),
    ("list[99999999999999999999]", "", "0"),
    ("list[x]", "zero", "0"),
    ("text[5]", "hello", "0"),
    ("10%0%0%1.token", "dotted", "0"),
    ("with space", "blank", "0"),
    ("a-b_c", "dash", "0"),
    ("missing", "", "0"),
    ("missing.more", "", "0"),
    (".text", "", "0"),
    ("object..a", "", "0"),
];

#[test]
fn the_transformation_follows_the_path() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r##"$var(answer) = $(var(json){kz.json,$var(path)}) + "#"
               + $(var(json){kz.json.count,$var(path)});"##,
    );
    let mut sip = kamailio.sip();
    let document = DOCUMENT.replace('\n', "");
    for (path, value, count) in PATHS {
        let body = format!("{document}|{path}");
        assert_eq!(
            sip.message("x", body.as_bytes()),
            format!("{value}#{count}"),
            "{path}"
        );
    }
    kamailio.stop();
}

#[test]
fn the_path_may_be_written_in_all_ways() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r#"$var(name) = "b"; $var(i) = 1;
           $var(answer) = $(var(json){kz.json,a.b}) + " " + $(var(json){kz.json, a.b})
               + " " + $(var(json){kz.json,a.$var(name)}) + " " + $(var(json){kz.json,l[$var(i)].n})
               + " " + $(var(json){kz.JSON,a.b}{s.len}) + " " + $(var(json){kz.json,a}{kz.json,b})
               + " " + $(var(json){kz.json.count,l});"#,
    );
    let answer = kamailio
        .sip()
        .message("x", br#"{"a":{"b":"x"},"l":[0,{"n":"one"}]}"#);
    assert_eq!(answer, "x x x one 1 x 2");
    kamailio.stop();
}

#[test]
fn hostile_paths_and_documents_are_harmless() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = with(
        r#"$var(answer) = "<" + $(var(json){kz.json,$var(path)}) + ">";
           kazoo_json("$var(json)", "$var(path)", "$var(x)");
           kazoo_json_keys("$var(json)", "$var(path)", "$avp(x)");
           $var(n) = $(var(json){kz.json.count,$var(path)});"#,
    );
    let mut sip = kamailio.sip();
    let long = "k".repeat(300);
    let deep = "[".repeat(5000);
    let paths = [
        "", ".", "..", ".a", "a.", "a..b", "[", "]", "a[", "a[]", "[[0]]", "%", "a[0][1]", &long,
    ];
    let documents = [
        "", "null", "1", "\"x\"", "[]", "{}", "not json", "{\"a\":", &deep,
    ];
    for document in documents {
        for path in paths {
            let body = format!("{document}|{path}");
            let answer = sip.message("x", body.as_bytes());
            assert!(answer.starts_with('<'), "{body}: {answer}");
        }
    }
    let body = format!("{{\"{long}\":\"long\"}}|{long}");
    assert_eq!(sip.message("x", body.as_bytes()), "<long>");
    kamailio.stop();
}

#[test]
fn the_dialect_is_the_one_of_the_original() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    // Newer Kamailio sends no answer with an empty reason.
    let kamailio = with(r#"$var(answer) = "a=" + $(var(json){kz.json,a});"#);
    let mut sip = kamailio.sip();
    for (document, value) in [
        ("{'a':'x'}", "x"),
        ("{'a' : \"it's\"}", "it's"),
        ("{\"a\":\"x\",}", "x"),
        ("{\"a\":[1,2,],}", "[ 1, 2 ]"),
        ("/* one */ {\"a\": /* two */ \"x\"}", "x"),
        ("{\"a\":TRUE}", "true"),
        ("{\"a\":False}", "false"),
        ("{\"a\":\"x\"} garbage", "x"),
        ("{\"a\":1,\"a\":2}", "2"),
        ("{\"a\":\"\\u00e9\\ud83d\\ude00\"}", "é😀"),
        ("{a:1}", ""),
        ("", ""),
    ] {
        let answer = sip.message("x", document.as_bytes());
        assert_eq!(answer, format!("a={value}"), "{document}");
    }
    kamailio.stop();
}

#[test]
fn one_document_is_asked_three_hundred_times() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let fields: Vec<String> = (0..100).map(|n| format!(r#""F{n}":"v{n}""#)).collect();
    let document = format!("{{{}}}", fields.join(","));
    let kamailio = with(
        r#"$var(i) = 0; $var(good) = 0;
           while ($var(i) < 300) {
               $var(n) = $var(i) mod 100;
               $var(v) = "v" + $var(n);
               if ($(var(json){kz.json,F$var(n)}) == $var(v)) { $var(good) = $var(good) + 1; }
               $var(i) = $var(i) + 1;
           }
           $var(answer) = "" + $var(good);"#,
    );
    let mut sip = kamailio.sip();
    assert_eq!(sip.message("x", document.as_bytes()), "300");
    // The same place in memory, and another document.
    assert_eq!(
        sip.message("x", document.replace("v7", "w7").as_bytes()),
        "267"
    );
    kamailio.stop();
}

#[test]
fn another_character_may_stand_for_dots() {
    needs!("kamailio", "kazoo");
    let _turn = turn::light();
    let kamailio = alone()
        .number("drain_timeout_ms", 100)
        .text_param("json_escape_char", "!")
        .request(r#"$var(answer) = $(rb{kz.json,a!b}) + " " + $(rb{kz.json,c%d});"#)
        .start();
    assert_eq!(kamailio.sip().message("x", br#"{"a.b":1,"c%d":2}"#), "1 2");
    kamailio.stop();
}
