//! What the configuration file said, before any check.

/// A modparam's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A quoted text.
    Text(String),
    /// A number.
    Number(i64),
}

/// The modparams of one module, in the order of the file.
#[derive(Debug, Default, Clone)]
pub struct Given {
    values: Vec<(String, Value)>,
}

impl Given {
    /// Adds one line.
    pub fn add(&mut self, name: &str, value: Value) {
        self.values.push((name.to_owned(), value));
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }
}
