use super::{COMMON, Common, Given, Kind, Setting, Value, check};

const TABLE: &[Setting] = &[
    Setting {
        name: "name",
        kind: Kind::Text,
        default: "x",
        unit: "",
        doc: "",
    },
    Setting {
        name: "url",
        kind: Kind::Texts,
        default: "",
        unit: "",
        doc: "",
    },
    Setting {
        name: "size",
        kind: Kind::Number { min: 1, max: 9 },
        default: "3",
        unit: "bytes",
        doc: "",
    },
];

fn given(lines: &[(&str, Value)]) -> Given {
    let mut given = Given::default();
    for (name, value) in lines {
        given.add(name, value.clone());
    }
    given
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn repeated_texts_add_up_and_single_ones_replace() {
    let given = given(&[
        ("url", text("a")),
        ("name", text("n")),
        ("url", text("b")),
        ("name", text("m")),
        ("size", Value::Number(9)),
    ]);
    let mut mistakes = Vec::new();
    let values = check(&[TABLE], &given, &mut mistakes);
    assert_eq!(mistakes, Vec::<String>::new());
    assert_eq!(values.texts("url"), ["a", "b"]);
    assert_eq!(values.text("name"), Some("m"));
    assert_eq!(values.number("size"), 9);
}

#[test]
fn a_number_that_is_not_given_has_its_default() {
    let values = check(&[TABLE], &Given::default(), &mut Vec::new());
    assert_eq!(values.number("size"), 3);
    assert_eq!(values.text("name"), None);
}

#[test]
fn every_mistake_is_named() {
    let given = given(&[
        ("nam", text("n")),
        ("size", Value::Number(10)),
        ("size", text("big")),
        ("url", Value::Number(1)),
    ]);
    let mut mistakes = Vec::new();
    check(&[TABLE], &given, &mut mistakes);
    assert_eq!(
        mistakes,
        [
            "nam: there is no such setting",
            "size = 10: it must be from 1 to 9 bytes",
            "size: it takes a number, not a text",
            "url: it takes a text, not a number",
        ]
    );
}

#[test]
fn a_message_larger_than_its_queue_is_a_mistake() {
    let given = given(&[
        ("queue_size", Value::Number(65_536)),
        ("message_size_max", Value::Number(65_536)),
    ]);
    let mut mistakes = Vec::new();
    let values = check(&[COMMON], &given, &mut mistakes);
    Common::from_values(&values, &mut mistakes);
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].contains("raise queue_size to 131072"),
        "{}",
        mistakes[0]
    );
}

#[test]
fn every_default_lies_in_its_range() {
    for row in COMMON {
        if let Kind::Number { min, max } = row.kind {
            let default: i64 = row.default.parse().unwrap();
            assert!((min..=max).contains(&default), "{}", row.name);
        }
    }
}
