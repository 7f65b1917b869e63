//! The table's rows, and the check of what was given against them.

use super::given::{Given, Value};
use std::collections::BTreeMap;

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One text; the last one given counts, as in Kamailio.
    Text,
    /// Texts that add up, one per line of the configuration.
    Texts,
    /// A whole number in a range.
    Number {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
}

/// One row of a module's table of settings.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The modparam's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The default as the manual shows it; empty if there is none.
    pub default: &'static str,
    /// Unit of a number; empty for none.
    pub unit: &'static str,
    /// One sentence; the manual may say more.
    pub doc: &'static str,
}

/// [`Kind::Text`].
pub const TEXT: Kind = Kind::Text;

/// A number that is 0 or 1.
pub const FLAG: Kind = Kind::Number { min: 0, max: 1 };

/// Any number.
pub const ANY: Kind = Kind::Number {
    min: i64::MIN,
    max: i64::MAX,
};

/// A row of the table.
#[must_use]
pub const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        unit,
        doc,
    }
}

/// The settings of one module, checked for name, kind and range.
#[derive(Debug, Default)]
pub struct Values {
    texts: BTreeMap<&'static str, Vec<String>>,
    numbers: BTreeMap<&'static str, i64>,
}

/// Checks `given` against `tables` and fills in the defaults. Every mistake goes to `mistakes`, as
/// a sentence that names the setting and what was given.
pub fn check(tables: &[&'static [Setting]], given: &Given, mistakes: &mut Vec<String>) -> Values {
    let rows = || tables.iter().copied().flatten();
    let mut values = Values::default();
    for row in rows() {
        if let (Kind::Number { .. }, Ok(number)) = (row.kind, row.default.parse()) {
            values.numbers.insert(row.name, number);
        }
    }
    for (name, value) in given.iter() {
        let Some(row) = rows().find(|row| row.name == name) else {
            mistakes.push(format!("{name}: there is no such setting"));
            continue;
        };
        match (row.kind, value) {
            (Kind::Number { min, max }, Value::Number(number)) => {
                if (min..=max).contains(number) {
                    values.numbers.insert(row.name, *number);
                } else {
                    let unit = if row.unit.is_empty() { "" } else { " " };
                    mistakes.push(format!(
                        "{name} = {number}: it must be from {min} to {max}{unit}{}",
                        row.unit
                    ));
                }
            }
            (Kind::Text, Value::Text(text)) => {
                values.texts.insert(row.name, vec![text.clone()]);
            }
            (Kind::Texts, Value::Text(text)) => {
                values.texts.entry(row.name).or_default().push(text.clone());
            }
            (Kind::Number { .. }, Value::Text(_)) => {
                mistakes.push(format!("{name}: it takes a number, not a text"));
            }
            (_, Value::Number(_)) => {
                mistakes.push(format!("{name}: it takes a text, not a number"));
            }
        }
    }
    values
}

impl Values {
    /// A number, or its default. A setting that the table does not have is 0.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// A number whose range starts at 0 or above.
    #[must_use]
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(0)
    }

    /// A number of milliseconds.
    #[must_use]
    pub fn milliseconds(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    /// A text, if one was given and is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name)
            .last()
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// All texts of a setting, in the order given.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        self.texts.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}
