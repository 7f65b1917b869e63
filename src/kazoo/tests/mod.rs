mod event;
mod message;
mod settings;

use super::json::{Value, parse};

fn json(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn written(value: &Value) -> String {
    let mut bytes = Vec::new();
    value.write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}
