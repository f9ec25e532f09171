//! What a client's keys must hold: a set of facts, and the states it went through.
//!
//! A fact is one thing that can be read back: a string's value, its time of expiry, one field of a
//! hash, one member of a set. The sum of the facts' hashes stands for the whole state, so that the
//! states after 0, 1, 2… operations are compared with a recovered one in one pass.
//!
//! Invariant: `sum` is the wrapping sum of the hashes of all facts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Facts shown when two states differ.
const SHOWN_MAX: usize = 6;
/// Bytes of a value shown.
const SHOWN_BYTES: usize = 60;

/// A state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    facts: BTreeMap<String, Vec<u8>>,
    sum: u64,
}

/// What an operation does to one fact.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(String, Vec<u8>),
    Remove(String),
}

impl Model {
    pub(crate) fn get(&self, fact: &str) -> Option<&Vec<u8>> {
        self.facts.get(fact)
    }

    /// The facts whose names start with `prefix`, in order of name.
    pub(crate) fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a str> + 'a {
        self.facts
            .range(prefix.to_owned()..)
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    pub(crate) fn put(&mut self, fact: String, value: Vec<u8>) {
        self.remove(&fact);
        self.sum = self.sum.wrapping_add(hash(&fact, &value));
        self.facts.insert(fact, value);
    }

    fn remove(&mut self, fact: &str) {
        if let Some(value) = self.facts.remove(fact) {
            self.sum = self.sum.wrapping_sub(hash(fact, &value));
        }
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(fact, value) => self.put(fact.clone(), value.clone()),
                Change::Remove(fact) => self.remove(fact),
            }
        }
    }

    /// The same for equal states, and hardly ever for others.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.sum
    }

    /// What `other` has that this does not have, and the other way round, in a few lines.
    fn differences(&self, other: &Model) -> String {
        let mut lines = Vec::new();
        for (fact, value) in &self.facts {
            match other.facts.get(fact) {
                Some(found) if found == value => {}
                Some(found) => {
                    let (value, found) = (shown(value), shown(found));
                    lines.push(format!("{fact} is \"{found}\" instead of \"{value}\""));
                }
                None => lines.push(format!("{fact} \"{}\" is missing", shown(value))),
            }
        }
        for (fact, value) in &other.facts {
            if !self.facts.contains_key(fact) {
                lines.push(format!("{fact} \"{}\" is too much", shown(value)));
            }
        }
        let hidden = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        let rest = if hidden > 0 { format!("; and {hidden} more") } else { String::new() };
        format!("{}{rest}", lines.join("; "))
    }
}

fn hash(fact: &str, value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (fact, value).hash(&mut hasher);
    hasher.finish()
}

fn shown(value: &[u8]) -> String {
    value[..value.len().min(SHOWN_BYTES)].escape_ascii().to_string()
}

/// One client's operations of a cycle, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The state before the first.
    pub(crate) base: Model,
    pub(crate) operations: Vec<Vec<Change>>,
    /// How many of them, from the first, were acknowledged.
    pub(crate) acknowledged: usize,
}

/// A recovered state that is none of those that a client's operations led through.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) String);

impl History {
    /// The number of operations, from the first, that lead to `found`: the greatest one.
    ///
    /// # Errors
    /// When no number does: something is there that was never sent, or is missing in between.
    pub(crate) fn locate(&self, found: &Model) -> Result<usize, Unknown> {
        let mut state = self.base.clone();
        let mut place = (state.sum == found.sum).then_some(0);
        let mut expected = (self.acknowledged == 0).then(|| state.clone());
        for (before, changes) in self.operations.iter().enumerate() {
            state.apply(changes);
            if state.sum == found.sum {
                place = Some(before + 1);
            }
            if before + 1 == self.acknowledged {
                expected = Some(state.clone());
            }
        }
        let expected = expected.expect("no more is acknowledged than was sent");
        place.ok_or_else(|| Unknown(expected.differences(found)))
    }

    /// The state after the first `count` operations.
    pub(crate) fn state_after(&self, count: usize) -> Model {
        let mut state = self.base.clone();
        for changes in &self.operations[..count] {
            state.apply(changes);
        }
        state
    }
}
