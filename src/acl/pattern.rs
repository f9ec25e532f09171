//! Patterns of keys and channels.

use crate::base::glob::{self, Case};
use bitflags::bitflags;

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

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<[u8]>,
    form: Form,
}

impl Pattern {
    /// A pattern.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let is_plain = |text: &[u8]| !text.iter().any(|byte| b"*?[\\".contains(byte));
        let form = match text {
            text if is_plain(text) => Form::Literal,
            [start @ .., b'*'] if is_plain(start) => Form::Prefix,
            _ => Form::Glob,
        };
        Self { text: text.into(), form }
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
        match self.form {
            Form::Literal => *name == *self.text,
            Form::Prefix => !name.is_empty() && name.starts_with(&self.text[..self.text.len() - 1]),
            Form::Glob => glob::matches(&self.text, name, Case::Sensitive),
        }
    }
}

/// A pattern of keys, and what may be done with those that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    pattern: Pattern,
    access: Access,
}

/// Keys that may be touched.
#[derive(Clone, Debug)]
pub enum KeySet {
    /// All, the empty one included.
    All,
    /// Those that match one of the patterns.
    Matching(Vec<KeyPattern>),
}

impl KeySet {
    /// Whether this may be done with a key; with nothing in particular, any permission will do.
    #[inline]
    #[must_use]
    pub fn allows(&self, key: &[u8], access: Access) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns
                .iter()
                .any(|allowed| allowed.access.contains(access) && allowed.pattern.matches(key)),
        }
    }

    /// Whether this may be done with every key.
    #[must_use]
    pub fn allows_every_key(&self, access: Access) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns
                .iter()
                .any(|allowed| allowed.access.contains(access) && *allowed.pattern.text == *b"*"),
        }
    }

    /// Adds a pattern, or more that may be done with keys of one that is there.
    pub fn add(&mut self, text: &[u8], access: Access) {
        let Self::Matching(patterns) = self else { return };
        match patterns.iter_mut().find(|known| *known.pattern.text == *text) {
            Some(known) => known.access |= access,
            None => patterns.push(KeyPattern { pattern: Pattern::new(text), access }),
        }
    }

    /// Tells it as rules, separated by spaces; nothing if there are no patterns.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let Self::Matching(patterns) = self else { return out.extend_from_slice(b"~*") };
        for (index, allowed) in patterns.iter().enumerate() {
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
            let mut word = |letters: &[u8]| -> Vec<u8> {
                (0..rng.below_usize(5)).map(|_| letters[rng.below_usize(letters.len())]).collect()
            };
            let (pattern, name) = (word(b"ab*?[]\\"), word(b"ab*"));
            let expected = glob::matches(&pattern, &name, Case::Sensitive);
            assert_eq!(Pattern::new(&pattern).matches(&name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn a_key_needs_one_pattern_for_all_that_is_done_with_it() {
        let mut keys = KeySet::Matching(Vec::new());
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
