//! The documents read last: a script asks one for many fields, and it is read once.

use super::json::{Mistake, Value, parse};

/// How many documents are kept.
const DOCUMENTS: usize = 4;

/// The documents read last, the newest first.
#[derive(Debug, Default)]
pub struct Cache {
    documents: Vec<(Vec<u8>, Value)>,
}

impl Cache {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            documents: Vec::new(),
        }
    }

    /// The document `text`.
    ///
    /// # Errors
    /// [`Mistake`], if it cannot be read. That is not kept.
    pub fn value(&mut self, text: &[u8]) -> Result<&Value, Mistake> {
        match self.documents.iter().position(|(known, _)| known == text) {
            Some(at) => self
                .documents
                .get_mut(..=at)
                .unwrap_or_default()
                .rotate_right(1),
            None => {
                let value = parse(text)?;
                self.keep(text, value);
            }
        }
        let newest = self.documents.first().map(|(_, value)| value);
        Ok(newest.unwrap_or(&Value::Null))
    }
    /// Keeps the document `text`, which was read already.
    pub fn keep(&mut self, text: &[u8], value: Value) {
        self.documents.truncate(DOCUMENTS - 1);
        self.documents.insert(0, (text.to_vec(), value));
    }
}
