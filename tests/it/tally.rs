//! Counts numbered messages: which arrived, how often, and in which order per writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::subscriber::Subscriber;

/// One writer's messages. They are numbered from 0.
#[derive(Default)]
struct Writer {
    /// How many first arrivals there were; in order, this is the number expected next.
    next: usize,
    seen: Vec<bool>,
    duplicates: usize,
    out_of_order: usize,
    /// The highest number so far.
    highest: usize,
    backwards: usize,
}

/// What arrived, of messages with the payload `<writer>:<number>`, and after a blank anything.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<HashMap<String, Writer>>>);

impl Tally {
    /// Counts what arrives on `subject`.
    pub(crate) fn of(url: &str, subject: &str) -> (Self, Subscriber) {
        let tally = Self::default();
        let counting = tally.clone();
        (
            tally,
            Subscriber::each(url, subject, move |message| counting.add(&message.payload)),
        )
    }

    /// Counts these texts.
    pub(crate) fn over(texts: impl IntoIterator<Item = String>) -> Self {
        let tally = Self::default();
        texts
            .into_iter()
            .for_each(|text| tally.add(text.as_bytes()));
        tally
    }

    /// Counts one message.
    pub(crate) fn add(&self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).expect("a numbered message");
        let numbered = text.split(' ').next().unwrap_or_default();
        let (writer, number) = numbered.split_once(':').expect("a numbered message");
        let number: usize = number.parse().expect("a numbered message");
        let mut writers = self.0.lock().unwrap();
        if !writers.contains_key(writer) {
            writers.insert(writer.to_string(), Writer::default());
        }
        let writer = writers.get_mut(writer).unwrap();
        if writer.seen.len() <= number {
            writer.seen.resize(number + 1, false);
        }
        if std::mem::replace(&mut writer.seen[number], true) {
            writer.duplicates += 1;
        } else {
            writer.out_of_order += usize::from(number != writer.next);
            writer.next += 1;
            writer.backwards += usize::from(number < writer.highest);
            writer.highest = writer.highest.max(number);
        }
    }

    /// How many different messages arrived, of all writers.
    pub(crate) fn unique(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|writer| writer.next)
            .sum()
    }

    /// How many messages arrived more than once, counted each time.
    pub(crate) fn duplicates(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|writer| writer.duplicates)
            .sum()
    }

    /// How many messages did not arrive right after their predecessor, repetitions aside.
    pub(crate) fn out_of_order(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|writer| writer.out_of_order)
            .sum()
    }

    /// How many messages arrived after a later one, repetitions aside. Some may be missing.
    pub(crate) fn backwards(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|writer| writer.backwards)
            .sum()
    }

    pub(crate) fn writers(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
