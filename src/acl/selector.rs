//! One set of permissions: commands, keys, channels and databases.

use super::{
    Access, Catalog, ChannelSet, CommandSet, KeyPatterns, KeySet, NewChannels, RuleError, Sign,
};
use std::collections::BTreeSet;

/// Databases that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseSet {
    /// All.
    All,
    /// Those of these numbers, whether or not there are such.
    Some(BTreeSet<usize>),
}

impl DatabaseSet {
    /// Whether a database may be used.
    #[inline]
    #[must_use]
    pub fn allows(&self, db: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(numbers) => numbers.contains(&db),
        }
    }

    /// The databases of a rule: numbers separated by commas.
    fn parse(list: &[u8]) -> Result<Self, RuleError> {
        let mut numbers = BTreeSet::new();
        for number in list.split(|&byte| byte == b',') {
            let text = std::str::from_utf8(number).map_err(|_| RuleError::Syntax)?;
            let number: i64 = text.parse().map_err(|_| RuleError::Syntax)?;
            let number = i32::try_from(number).ok().and_then(|number| usize::try_from(number).ok());
            numbers.insert(number.ok_or(RuleError::DatabaseOutOfRange)?);
        }
        Ok(Self::Some(numbers))
    }

    /// Tells it as a rule; nothing if it is all or none.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let Self::Some(numbers) = self else { return };
        for (index, number) in numbers.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"db=" } else { b"," });
            out.extend_from_slice(number.to_string().as_bytes());
        }
    }
}

/// A set of permissions.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Commands that may be run.
    pub commands: CommandSet,
    /// Keys that they may touch.
    pub keys: KeySet,
    /// Channels that they may use.
    pub channels: ChannelSet,
    /// Databases whose data they may touch.
    pub databases: DatabaseSet,
}

impl Selector {
    /// One that allows nothing, but for channels perhaps.
    #[must_use]
    pub fn new(channels: NewChannels) -> Self {
        Self {
            commands: CommandSet::default(),
            keys: KeySet::Matching(KeyPatterns::default()),
            channels: match channels {
                NewChannels::All => ChannelSet::All,
                NewChannels::None => ChannelSet::Matching(Vec::new()),
            },
            databases: DatabaseSet::All,
        }
    }

    /// Whether it allows everything.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.commands.is_full()
            && matches!(self.keys, KeySet::All)
            && matches!(self.channels, ChannelSet::All)
            && self.databases == DatabaseSet::All
    }

    /// Applies a rule.
    ///
    /// # Errors
    /// It makes no sense. Nothing is changed then.
    pub fn apply(&mut self, catalog: &Catalog, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if is("allkeys") || is("~*") {
            self.keys = KeySet::All;
        } else if is("resetkeys") {
            self.keys = KeySet::Matching(KeyPatterns::default());
        } else if is("allchannels") || is("&*") {
            self.channels = ChannelSet::All;
        } else if is("resetchannels") {
            self.channels = ChannelSet::Matching(Vec::new());
        } else if is("allcommands") {
            self.commands.reset(catalog, Sign::Allow);
        } else if is("nocommands") {
            self.commands.reset(catalog, Sign::Deny);
        } else if is("alldbs") {
            self.databases = DatabaseSet::All;
        } else if is("resetdbs") {
            self.databases = DatabaseSet::Some(BTreeSet::new());
        } else {
            return self.apply_prefixed(catalog, rule);
        }
        Ok(())
    }

    fn apply_prefixed(&mut self, catalog: &Catalog, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'~' | b'%', ..] => self.add_keys(rule),
            [b'&', pattern @ ..] => {
                if matches!(self.channels, ChannelSet::All) {
                    return Err(RuleError::ChannelAfterAll);
                }
                self.channels.add(checked(pattern)?);
                Ok(())
            }
            [b'+', what @ ..] => self.commands.apply(catalog, Sign::Allow, what),
            [b'-', what @ ..] => self.commands.apply(catalog, Sign::Deny, what),
            [d, b, b'=', list @ ..] if [*d, *b].eq_ignore_ascii_case(b"db") => {
                self.databases = DatabaseSet::parse(list)?;
                Ok(())
            }
            _ => Err(RuleError::Syntax),
        }
    }

    /// `~pattern`, or `%` with what may be done and then that.
    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if matches!(self.keys, KeySet::All) {
            return Err(RuleError::KeyAfterAll);
        }
        let (access, pattern) = match rule {
            [b'~', pattern @ ..] => (Access::all(), pattern),
            _ => {
                let letters = &rule[1..];
                let end = letters.iter().position(|&byte| byte == b'~').unwrap_or(letters.len());
                let mut access = Access::empty();
                for letter in &letters[..end] {
                    let more = match letter.to_ascii_uppercase() {
                        b'R' => Access::READ,
                        b'W' => Access::WRITE,
                        _ => return Err(RuleError::Syntax),
                    };
                    if access.contains(more) {
                        return Err(RuleError::Syntax);
                    }
                    access |= more;
                }
                if access.is_empty() {
                    return Err(RuleError::Syntax);
                }
                (access, letters.get(end + 1..).unwrap_or_default())
            }
        };
        self.keys.add(checked(pattern)?, access);
        Ok(())
    }

    /// Tells it as rules that make it, separated by spaces.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let part = |out: &mut Vec<u8>, describe: &dyn Fn(&mut Vec<u8>)| {
            let before = out.len();
            describe(out);
            if out.len() > before {
                out.push(b' ');
            }
        };
        part(out, &|out| self.keys.describe(out));
        if let ChannelSet::Matching(_) = self.channels {
            out.extend_from_slice(b"resetchannels ");
        }
        part(out, &|out| self.channels.describe(out));
        if self.databases == DatabaseSet::Some(BTreeSet::new()) {
            out.extend_from_slice(b"resetdbs ");
        }
        part(out, &|out| self.databases.describe(out));
        self.commands.describe(out);
    }
}

/// A pattern that can stand in a file: words are separated by spaces there, and users by line ends.
fn checked(pattern: &[u8]) -> Result<&[u8], RuleError> {
    let cannot = |byte: &u8| b" \0\r\n".contains(byte);
    if pattern.iter().any(cannot) { Err(RuleError::Syntax) } else { Ok(pattern) }
}
