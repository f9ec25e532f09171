//! Patterns of keys and channels.

use crate::base::glob::{self, Case};
use bitflags::bitflags;
use std::sync::atomic::{AtomicUsize, Ordering};

bitflags! {
    /// What is done with the value of a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u8 {
        /// It is read, copied or returned.
        const READ = 1 << 0;
        /// It is created, changed or deleted.
        const WRITE = 1 << 1;
    }
}

/// How a pattern is matched: most people's are a name or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The text itself.
    Literal,
    /// All but the `*` at its end.
    Prefix,
    /// Anything else.
    Glob,
}

/// How many bytes a [`Head`] holds.
const HEAD_LEN: usize = 8;

/// The first bytes of a name as one number, zeros behind a shorter one: taken once, and compared with those
/// of every pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head(u64);

impl Head {
    #[inline]
    fn of(name: &[u8]) -> Self {
        Self(u64::from_le_bytes(match name.first_chunk::<HEAD_LEN>() {
            Some(first) => *first,
            None => {
                let mut first = [0; HEAD_LEN];
                first[..name.len()].copy_from_slice(name);
                first
            }
        }))
    }
}

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<[u8]>,
    form: Form,
    /// How many bytes come before the first that has a meaning: every name that matches begins with them.
    start_len: usize,
    /// The first of those, and which bytes of a name's head they are to be compared with.
    head: Head,
    mask: u64,
}

impl Pattern {
    /// A pattern.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let has_meaning = |byte: &u8| b"*?[\\".contains(byte);
        let start_len = text.iter().position(has_meaning).unwrap_or(text.len());
        let form = match &text[start_len..] {
            [] => Form::Literal,
            [b'*'] => Form::Prefix,
            _ => Form::Glob,
        };
        let mask = match start_len {
            0..HEAD_LEN => (1 << (8 * start_len)) - 1,
            HEAD_LEN.. => u64::MAX,
        };
        let head = Head::of(&text[..start_len]);
        Self { text: text.into(), form, start_len, head, mask }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether a name matches. As everywhere, the empty name matches the empty pattern only.
    #[inline]
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        self.matches_with(Head::of(name), name)
    }

    /// As [`Pattern::matches`], with the head of the name.
    #[inline]
    fn matches_with(&self, head: Head, name: &[u8]) -> bool {
        if head.0 & self.mask != self.head.0 {
            return false;
        }
        match self.form {
            Form::Literal => *name == *self.text,
            Form::Prefix if self.start_len <= HEAD_LEN => {
                name.len() >= self.start_len && !name.is_empty()
            }
            Form::Prefix => name.starts_with(&self.text[..self.start_len]),
            Form::Glob => glob::matches(&self.text, name, Case::Sensitive),
        }
    }
}

/// A pattern of keys, and what may be done with those that match.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    pattern: Pattern,
    access: Access,
}

/// Patterns of keys. The next key is likely to match the pattern that the last one matched, so that is tried first.
#[derive(Debug, Default)]
pub struct KeyPatterns {
    list: Vec<KeyPattern>,
    /// Index of that pattern. Only a hint, so any order of stores and loads will do.
    latest: AtomicUsize,
}

impl Clone for KeyPatterns {
    fn clone(&self) -> Self {
        Self { list: self.list.clone(), latest: AtomicUsize::new(0) }
    }
}

impl KeyPatterns {
    #[inline]
    fn allows(&self, key: &[u8], access: Access) -> bool {
        let head = Head::of(key);
        let allows = |allowed: &KeyPattern| {
            allowed.access.contains(access) && allowed.pattern.matches_with(head, key)
        };
        if self.list.get(self.latest.load(Ordering::Relaxed)).is_some_and(allows) {
            return true;
        }
        let found = self.list.iter().position(allows);
        if let Some(index) = found {
            self.latest.store(index, Ordering::Relaxed);
        }
        found.is_some()
    }
}

/// Keys that may be touched.
#[derive(Clone, Debug)]
pub enum KeySet {
    /// All, the empty one included.
    All,
    /// Those that match one of the patterns.
    Matching(KeyPatterns),
}

impl KeySet {
    /// Whether this may be done with a key; with nothing in particular, any permission will do.
    #[inline]
    #[must_use]
    pub fn allows(&self, key: &[u8], access: Access) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns.allows(key, access),
        }
    }

    /// Whether this may be done with every key.
    #[must_use]
    pub fn allows_every_key(&self, access: Access) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns
                .list
                .iter()
                .any(|allowed| allowed.access.contains(access) && *allowed.pattern.text == *b"*"),
        }
    }

    /// Adds a pattern, or more that may be done with keys of one that is there.
    pub fn add(&mut self, text: &[u8], access: Access) {
        let Self::Matching(patterns) = self else { return };
        match patterns.list.iter_mut().find(|known| *known.pattern.text == *text) {
            Some(known) => known.access |= access,
            None => patterns.list.push(KeyPattern { pattern: Pattern::new(text), access }),
        }
    }

    /// Tells it as rules, separated by spaces; nothing if there are no patterns.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let Self::Matching(patterns) = self else { return out.extend_from_slice(b"~*") };
        for (index, allowed) in patterns.list.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            let sign: &[u8] = match (
                allowed.access.contains(Access::READ),
                allowed.access.contains(Access::WRITE),
            ) {
                (true, true) => b"~",
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                (false, false) => b"%~",
            };
            out.extend_from_slice(sign);
            out.extend_from_slice(&allowed.pattern.text);
        }
    }
}

/// How the name of a channel is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelName {
    /// As one channel.
    Literal,
    /// As a pattern of channels: only the same pattern allows it, since nothing narrower is known to.
    Pattern,
}

/// Channels that may be used.
#[derive(Clone, Debug)]
pub enum ChannelSet {
    /// All.
    All,
    /// Those that match one of the patterns.
    Matching(Vec<Pattern>),
}

impl ChannelSet {
    /// Whether a channel, or a pattern of channels, may be used.
    #[must_use]
    pub fn allows(&self, name: &[u8], meant: ChannelName) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns.iter().any(|allowed| match meant {
                ChannelName::Literal => allowed.matches(name),
                ChannelName::Pattern => *allowed.text == *name,
            }),
        }
    }

    /// Adds a pattern.
    pub fn add(&mut self, text: &[u8]) {
        let Self::Matching(patterns) = self else { return };
        if !patterns.iter().any(|known| *known.text == *text) {
            patterns.push(Pattern::new(text));
        }
    }

    /// Tells it as rules, separated by spaces; nothing if there are no patterns.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let Self::Matching(patterns) = self else { return out.extend_from_slice(b"&*") };
        for (index, pattern) in patterns.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.push(b'&');
            out.extend_from_slice(&pattern.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn forms_match_as_globs_do() {
        let mut rng = Rng::seeded(11);
        for _ in 0..20_000 {
            // As long as what is compared at once, or about as long, or not there.
            let start = vec![b'a'; [0, 0, 1, 6, 7, 8, 9][rng.below_usize(7)]];
            let mut word = |letters: &[u8]| -> Vec<u8> {
                let rest = (0..rng.below_usize(5)).map(|_| letters[rng.below_usize(letters.len())]);
                start.iter().copied().chain(rest).collect()
            };
            let (pattern, name) = (word(b"ab\0*?[]\\"), word(b"ab\0*"));
            let name = if rng.below_usize(9) == 0 { name[name.len() / 2..].to_vec() } else { name };
            let expected = glob::matches(&pattern, &name, Case::Sensitive);
            assert_eq!(Pattern::new(&pattern).matches(&name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn a_key_needs_one_pattern_for_all_that_is_done_with_it() {
        let mut keys = KeySet::Matching(KeyPatterns::default());
        keys.add(b"r*", Access::READ);
        keys.add(b"*w", Access::WRITE);
        assert!(keys.allows(b"rw", Access::READ) && keys.allows(b"rw", Access::WRITE));
        assert!(!keys.allows(b"rw", Access::all()));
        assert!(keys.allows(b"r", Access::empty()) && !keys.allows(b"x", Access::empty()));
        keys.add(b"r*", Access::WRITE);
        assert!(keys.allows(b"rw", Access::all()));
        let mut told = Vec::new();
        keys.describe(&mut told);
        assert_eq!(told, b"~r* %W~*w");
    }
}
